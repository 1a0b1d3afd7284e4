"""What `lampwork dev` does: looks at what was edited, and lets one worker execute it.

It never imports the project. Children do, each of them a fresh interpreter: one looks at the code
and rehearses the unfinished jobs with it, the other one executes.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lampwork.cli import exit_code, output, rehearsing
from lampwork.cli.dev.child import copies_in
from lampwork.cli.dev.edits import Edits
from lampwork.cli.dev.job_lines import JobLines
from lampwork.cli.dev.misfits import Decision, Misfit, ask, carry_out, misfits, without_asking
from lampwork.cli.dev.voice import Voice
from lampwork.cli.dev.workers import Workers
from lampwork.cli.options import Options
from lampwork.cli.rehearsing import Found
from lampwork.cli.stopping import stop_signals
from lampwork.errors import LampworkError
from lampwork.insights import Insights
from lampwork.lock import Charge, FolderLock
from lampwork.versioning import kept, sources
from lampwork.versioning.upgrade import PATIENCE, copy_databases

_STAY = 2.0
"""Seconds that the code of today executes at the least between two turns of older code."""

_PATIENCE = 30.0
"""Seconds after which a turn begins although a job executes."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is to be done."""

    on_misfit: Literal["ask", "keep", "fork", "discard"]
    triggers: bool
    """Whether they fire."""
    stays: bool
    """If the code can't be loaded at first, whether a person is there to mend it."""


def supervise(project: str | None, options: Options, manner: Manner) -> int:
    """Execute jobs until a signal comes; the exit code."""
    return asyncio.run(_supervise(project, options, manner))


async def _supervise(project: str | None, options: Options, manner: Manner) -> int:
    FolderLock(options.settings.home).release()  # should another process execute, it is named
    charge = Charge(options.settings.home)
    with stop_signals() as stopped:
        async with (
            Insights.opened(options.settings.place) as insights,
            Supervisor.opened(project, options, manner, insights) as dev,
        ):
            working = asyncio.create_task(dev.work())
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if working.done():
                working.result()
            working.cancel()
            await dev.close()
    charge.release()
    return 0


@dataclass(frozen=True, slots=True)
class Look:
    """What a child has found out about the code as it is now."""

    code: str
    loaded: dict[str, Any]
    jobs: int
    misfits: list[Misfit]
    state: tuple[Any, ...] | None
    """That of the jobs, before they were copied."""


class Supervisor:
    """Runs one project."""

    def __init__(
        self, project: str | None, options: Options, manner: Manner, insights: Insights
    ) -> None:
        self._options = options
        self._manner = manner
        self._insights = insights
        self._home = options.settings.home
        self._voice = Voice(options.as_json)
        self._named = [project] if project is not None else []
        self._words = [
            *self._named,
            "--home",
            str(self._home),
            *(["--triggers"] if manner.triggers else []),
        ]
        self._workers = Workers(self._words, options.settings.grace, self._voice)
        self._edits = Edits()
        self._changed = asyncio.Event()
        self._last_loaded = sources.last_loaded(copies_in(self._home))
        """By project, the code that an earlier `lampwork dev` has executed last."""
        self._project = ""
        self._code: str | None = None
        """That of today: what the worker executes when no older code has its turn."""
        self._is_known = False
        """Whether it was said what there is in the project."""
        self._behind = False
        """Whether the code on disk is not the one of today: broken, or not wanted yet."""
        self._began = 0.0
        self._due: float | None = None
        """Since when older code could go on."""

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, project: str | None, options: Options, manner: Manner, insights: Insights
    ) -> AsyncGenerator[Supervisor]:
        """A supervisor that hears of what is committed, and tells of jobs."""
        dev = cls(project, options, manner, insights)
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def commit(_topics: frozenset[str] | None) -> None:
            loop.call_soon_threadsafe(dev._changed.set)
            loop.call_soon_threadsafe(told.set)

        dev._insights.store.watch(commit)
        lines = JobLines(dev._insights, dev._options, dev._voice)
        await lines.look()  # before a worker may end what there is
        telling = asyncio.create_task(lines.tell(told))
        try:
            yield dev
            telling.cancel()  # or both may tell the same
            await lines.look()
        finally:
            telling.cancel()
            await dev._workers.stop()
            await dev._edits.close()

    async def work(self) -> None:
        """Execute what is there, then what is edited, until it is cancelled.

        Raises what the first look has found if nothing can come of waiting for an edit.
        """
        await self._take_over(first=True)
        while True:
            await self._something()
            if self._edits.seen.is_set():
                await self._take_over()
            elif self._workers.turn_over.is_set():
                await self._end_turn()
            else:
                self._changed.clear()  # only now: an edit may bring nothing, and this is still due
                await self._give_turn()

    async def close(self) -> None:
        """Let the worker close, and say how to go on."""
        running = self._workers.running
        if running is not None:
            grace = f"what executes gets up to {self._options.settings.grace:g} s"
            self._voice.tell("closing", f"Closing: {grace}. Ctrl-C again: at once.")
            await self._workers.stop()
        jobs = await kept.unfinished(self._insights.store, self._project)
        text = None
        if jobs:
            again = self._options.to_type("dev", *self._named)
            text = f"{output.counted(jobs, 'unfinished job')}, to go on with: {again}"
        self._voice.tell("closed", text, unfinished=jobs)

    async def _something(self) -> None:
        """Wait until there may be something to do."""
        events = (self._edits.seen, self._workers.turn_over, self._changed)
        waiting = [asyncio.create_task(each.wait()) for each in events]
        try:
            timeout = None if self._due is None else 0.5
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    # --- new code ---

    async def _take_over(self, *, first: bool = False) -> None:
        """Look at the code as it is now, and let the worker execute it if nothing is against it."""
        edited = self._edits.take()
        try:
            look = await self._look()
        except LampworkError as error:
            if first and (exit_code(error) == 2 or not self._manner.stays):
                raise
            self._say_broken(error)
            return
        if look is None:
            return
        if look.code == self._code:
            if self._behind:
                self._behind = False
                self._voice.tell("unchanged", "The code is as it was, and goes on.", code=look.code)
            return
        if not self._is_known:
            self._say_started(look)
            self._is_known = True
        if (decided := await self._settle(look)) is None:
            return
        look, decisions = decided
        is_reloaded = self._code is not None
        old = self._old(look)
        for misfit in look.misfits:
            await carry_out(self._insights, misfit, decisions[misfit.id], old, self._voice)
        self._code, self._behind = look.code, False
        await kept.release_all(self._insights.store, self._project, look.code)
        if old is not None and old in await kept.in_use(self._insights.store):
            # what it keeps comes to where it waits
            executes = await self._workers.start(old, kept=True)
        else:
            executes = await self._execute()
        if is_reloaded and executes:
            self._say_reloaded(look, edited)

    async def _look(self) -> Look | None:
        """Have a child look; None if the code was edited meanwhile. Raises LampworkError."""
        found, state = Found(), None
        if self._project:
            state = await kept.state(self._insights.store, self._project)
        with tempfile.TemporaryDirectory(prefix="lampwork-dev-") as folder:
            await asyncio.to_thread(copy_databases, self._home, Path(folder))
            words = ["dev", *self._words, "--copied", folder]
            try:
                await rehearsing.rehearse_in_children(words, found, PATIENCE)
            finally:
                self._watch(found.loaded)
        if not found.loaded["is_copied"]:
            self._edits.seen.set()
            return None
        self._project = found.loaded["project"]
        return Look(
            code=found.loaded["code"],
            loaded=found.loaded,
            jobs=len(found.jobs),
            misfits=await misfits(self._insights, found.stopped),
            state=state,
        )

    def _watch(self, loaded: dict[str, Any]) -> None:
        copies = copies_in(self._home)
        folders = {Path(each) for each in loaded.get("folders", [])}
        if "code" in loaded and (read := sources.read_copy(copies, loaded["code"])) is not None:
            known = {Path(each.path) for each in read.files}
            self._edits.watch(
                folders, lambda path: path in known or sources.is_code(path), read.are_as_read
            )
            return
        named = set(folders)
        if self._code and (before := sources.read_copy(copies, self._code)) is not None:
            folders |= before.folders
        self._edits.watch(
            folders,
            lambda path: not path.name.startswith("."),  # whatever it lacks
            lambda: sources.digests_in(named) == loaded.get("files", {}),
        )

    async def _settle(self, look: Look) -> tuple[Look, Mapping[str, Decision]] | None:
        """Stop the worker with a decision for each job that would not go on; None to let it be.

        Jobs may have moved while they were rehearsed; then they are rehearsed again, stopped.
        """
        decided: dict[str, Decision] = {}
        while True:
            new = [each for each in look.misfits if each.id not in decided]
            if new:
                answer = await self._decide(new, can_keep=self._old(look) is not None)
                if answer is None:
                    await self._let_be(look)
                    return None
                decided |= answer
            was_stopped = self._workers.running is None
            await self._workers.stop()
            now = await kept.state(self._insights.store, self._project)
            if was_stopped or not look.jobs or (now is not None and now == look.state):
                return look, decided
            try:
                again = await self._look()
            except LampworkError as error:
                self._say_broken(error)
                again = None
            if again is None or again.code != look.code:
                self._edits.seen.set()
                await self._execute()
                return None
            look = again

    async def _decide(self, new: list[Misfit], *, can_keep: bool) -> Mapping[str, Decision] | None:
        if self._manner.on_misfit == "ask":
            if self._code is None:
                jobs = await kept.unfinished(self._insights.store, self._project)
                text = f"Nothing is executed until you answer: {output.counted(jobs, 'job')} "
                self._voice.tell("at_rest", f"{text}wait for it, new ones too.", unfinished=jobs)
            return await ask(new, self._voice, can_keep=can_keep, edited=self._edits.seen)
        for each in new:
            why = "".join(f"\n{job.job_id}  {job.recipe}: {job.why}" for job in each.jobs)
            text = f"This edit does not fit job {each.id}.{why}"
            self._voice.tell("misfit", text, misfit=each.to_json())
        return without_asking(new, self._manner.on_misfit, can_keep=can_keep)

    async def _let_be(self, look: Look) -> None:
        if self._workers.running is None and self._code is not None:
            await self._execute()
        self._behind = True
        what = "The old code goes on" if self._code else "Nothing is executed, of no job,"
        self._voice.tell("declined", f"{what} until you edit again.", code=look.code)

    def _old(self, look: Look) -> str | None:
        """The code to keep jobs on; None if there is none, or only other files were edited."""
        old = self._code or self._last_loaded.get(self._project)
        copies = copies_in(self._home)
        new, before = (sources.read_copy(copies, each or "") for each in (look.code, old))
        is_other = new and before and new.modules != before.modules
        return old if is_other else None

    async def _execute(self) -> bool:
        """Let the worker execute the code of today; whether it does."""
        if self._code is None:
            return False
        self._due, self._began = None, time.monotonic()
        executes = await self._workers.start(self._code)
        if executes:
            sources.mark_loaded(copies_in(self._home), self._code)
            self._last_loaded[self._project] = self._code
        in_use = await kept.in_use(self._insights.store)
        needed = in_use | set(self._last_loaded.values()) | {self._code}
        await asyncio.to_thread(sources.remove_copies, copies_in(self._home), but=needed)
        self._changed.set()
        return executes

    # --- turns of older code ---

    async def _give_turn(self) -> None:
        """Let older code execute if a job that is kept on it can go on, and none else executes."""
        running = self._workers.running
        if running is not None and running.kept:
            return
        movable = await kept.movable(self._insights.store, self._project)
        jobs = {job: code for job, code in movable.items() if code not in self._workers.unloadable}
        if not jobs:
            self._due = None
            return
        now = time.monotonic()
        self._due = now if self._due is None else self._due
        executing = await kept.state(self._insights.store, self._project) is None
        if now < self._began + _STAY or (executing and now < self._due + _PATIENCE):
            return
        code = next(iter(jobs.values()))
        going = [job for job, each in jobs.items() if each == code]
        text = f"{', '.join(going)} can go on: the code that it is kept on takes a turn."
        self._voice.tell("turn", text, code=code, jobs=going)
        self._due = None
        await self._workers.start(code, kept=True)

    async def _end_turn(self) -> None:
        running = self._workers.running
        assert running is not None
        self._workers.turn_over.clear()
        if (why := self._workers.unloadable.get(running.code)) is not None:
            text = f"Code {running.code}, on which jobs are kept, can't be loaded: {why}\n"
            text += "With the code of today one goes on by: lampwork job ID go-on"
            self._voice.tell("unloadable", text, code=running.code, why=why)
        await self._execute()
        self._voice.tell("turn_over", "The code of today goes on.", code=self._code)

    # --- what is said ---

    def _say_started(self, look: Look) -> None:
        loaded = look.loaded
        lines = [f"lampwork dev: {loaded['project']}, {loaded['file']}"]
        lines += [f"genie {name}  {model}" for name, model in loaded["genies"].items()]
        lines += [f"recipes: {', '.join(loaded['recipes']) or 'none'}"]
        if count := loaded["triggers"]:
            fire = "fire" if self._manner.triggers else "are off (--triggers lets them fire)"
            lines.append(f"{output.counted(count, 'trigger')}: they {fire}")
        lines += [f"state: {self._home}"]
        known = ("project", "file", "recipes", "genies", "findings")
        facts = {name: loaded[name] for name in known}
        fire = {"count": loaded["triggers"], "fire": self._manner.triggers}
        text = "\n".join([*lines, *_findings(loaded)])
        self._voice.tell("started", text, home=str(self._home), triggers=fire, **facts)

    def _say_reloaded(self, look: Look, edited: list[Path]) -> None:
        names = [each.name for each in edited]
        goes_on = look.jobs - sum(len(each.jobs) for each in look.misfits)
        text = f"Loaded {', '.join(names) or 'the new code'}. Jobs that go on with it: {goes_on}."
        lines = "\n".join([text, *_findings(look.loaded)])
        self._voice.tell("reloaded", lines, code=look.code, edited=[str(each) for each in edited])

    def _say_broken(self, error: LampworkError) -> None:
        self._behind = True
        text = str(error.fields.get("traceback") or error)
        goes_on = "The old code goes on" if self._code else "Nothing is executed"
        text = f"The code can't be loaded. {goes_on} until you mend it.\n{text}"
        self._voice.tell("broken", text, error=error.to_record())


def _findings(loaded: dict[str, Any]) -> list[str]:
    return [f"{each['severity']}: {each['text']}" for each in loaded["findings"]]
