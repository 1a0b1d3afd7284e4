"""Waiting jobs that new code does not fit, and what is to become of them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from lampwork.cli import output
from lampwork.cli.dev.voice import Voice
from lampwork.cli.screen import tree
from lampwork.cli.typed import drop_typed
from lampwork.errors import LampworkError
from lampwork.insights import Insights
from lampwork.jobs_door import JobsDoor
from lampwork.types import Json
from lampwork.versioning import kept
from lampwork.versioning.upgrade import Rehearsed
from lampwork.views import JobView

Decision = Literal["keep", "fork", "discard", "leave"]
"""`leave` lets it be stopped as `needs_attention` when it comes to that code."""

_LETTERS: dict[str, Decision] = {"k": "keep", "f": "fork", "d": "discard"}


@dataclass(frozen=True, slots=True)
class Misfit:
    """A job at the top of its tree, and those of the tree that would not go on."""

    top: JobView
    jobs: tuple[Rehearsed, ...]

    @property
    def id(self) -> str:
        """That of the job at the top."""
        return self.top.job_id

    @property
    def fork_at(self) -> int | None:
        """The first call of the job at the top that must be made anew; None if none would do."""
        if self.top.ended_at is not None:
            return None
        calls = [_top_call(each, self.id) for each in self.jobs]
        numbers = [each for each in calls if each]
        return min(numbers) if len(numbers) == len(calls) else None

    def to_json(self) -> Json:
        """For programs."""
        jobs = [
            {"job_id": each.job_id, "recipe": each.recipe, "call": each.call, "why": each.why}
            for each in self.jobs
        ]
        return {"job_id": self.id, "recipe": self.top.recipe, "jobs": jobs}


def _top_call(job: Rehearsed, top: str) -> int | None:
    """The call of the job at the top that differs, or that led to the job in which one does."""
    if job.job_id == top:
        return job.call
    return int(job.job_id.removeprefix(f"{top}.").partition(".")[0])


async def misfits(insights: Insights, stopped: Sequence[Rehearsed]) -> list[Misfit]:
    """The jobs that would not go on, by the job at the top."""
    by_top: dict[str, list[Rehearsed]] = defaultdict(list)
    for each in stopped:
        by_top[each.job_id.partition(".")[0]].append(each)
    return [Misfit(await insights.view(top), tuple(jobs)) for top, jobs in by_top.items()]


# --- asked on the terminal ---


async def ask(
    found: Sequence[Misfit], voice: Voice, *, can_keep: bool, edited: asyncio.Event
) -> Mapping[str, Decision] | None:
    """What a person wants to become of each; None to leave the new code until another edit."""
    decided: dict[str, Decision] = {}
    count = output.counted(len(found), "unfinished job")
    what = "This edit does not fit" if can_keep else "The code does not fit"
    voice.tell("misfits", f"{what} {count}.")
    for index, misfit in enumerate(found):
        for line in describe(misfit, can_keep=can_keep):
            output.say(f"  {line}")
        letters = _letters(misfit, can_keep=can_keep)
        question = f"  {'/'.join([*letters, 'w'])}, with an a for all, as in {letters[0]}a: "
        while True:
            async with _typed() as lines:
                voice.ask(question)
                typed = await _line(lines, edited)
            if typed is None:
                output.say("\n  Edited again.")
                return None
            if typed[:1] == "w":
                return None
            if typed[:1] in letters and typed[1:].strip() in ("", "a"):
                break
        choice = _LETTERS[typed[:1]]
        if typed[1:].strip() == "a":
            return {**decided, **without_asking(found[index:], choice, can_keep=can_keep)}
        decided[misfit.id] = choice
    return decided


def describe(misfit: Misfit, *, can_keep: bool) -> Iterator[str]:
    """A misfit, and what can be done about it, for people."""
    top = misfit.top
    waits = "; ".join(tree.waits_for(each) for each in top.waiting_on)
    yield f"{top.job_id}  {top.title}  {top.status}" + (f", waits for {waits}" if waits else "")
    for each in misfit.jobs:
        of = "" if each.job_id == misfit.id else f"{each.job_id}  {each.recipe}: "
        yield f"  {of}{each.why}"
    choices = ["[d]iscard it", "[w]ait: leave all as it is until another edit"]
    if misfit.fork_at is not None:
        choices.insert(0, f"[f]ork it at call {misfit.fork_at}")
    if can_keep:
        choices.insert(0, "[k]eep the old code for it")
    yield f"  {', '.join(choices)}"


def _letters(misfit: Misfit, *, can_keep: bool) -> list[str]:
    possible = {"k": can_keep, "f": misfit.fork_at is not None, "d": True}
    return [letter for letter, is_possible in possible.items() if is_possible]


def _possible(misfit: Misfit, choice: Decision, can_keep: bool) -> Decision:
    """What was chosen for all, or what loses nothing."""
    if choice == "fork" and misfit.fork_at is None:
        choice = "keep"
    return "leave" if choice == "keep" and not can_keep else choice


def without_asking(
    found: Sequence[Misfit], choice: Decision, *, can_keep: bool
) -> Mapping[str, Decision]:
    """The same for each, as far as it can be."""
    return {each.id: _possible(each, choice, can_keep) for each in found}


@asynccontextmanager
async def _typed() -> AsyncGenerator[asyncio.Queue[str]]:
    """The lines that are typed from now on; a `w` when there will be no more."""
    drop_typed()
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        try:
            typed = os.read(stdin, 4096).decode(errors="replace")
        except OSError:  # the terminal is gone
            typed = ""
        if not typed:
            loop.remove_reader(stdin)
        for line in typed.splitlines() or ["w"]:
            lines.put_nowait(line)

    loop.add_reader(stdin, read)
    try:
        yield lines
    finally:
        loop.remove_reader(stdin)


async def _line(lines: asyncio.Queue[str], edited: asyncio.Event) -> str | None:
    """The next line that is typed; None if an edit comes first."""
    typing = asyncio.create_task(lines.get())
    editing = asyncio.create_task(edited.wait())
    try:
        await asyncio.wait({typing, editing}, return_when=asyncio.FIRST_COMPLETED)
        return typing.result().strip().lower() if typing.done() else None
    finally:
        typing.cancel()
        editing.cancel()


# --- carried out, while nothing executes ---


async def carry_out(
    insights: Insights, misfit: Misfit, decision: Decision, old: str | None, voice: Voice
) -> None:
    """Do with a job what was decided, and say so."""
    door, facts = JobsDoor(insights.store), {"job_id": misfit.id, "decision": decision}
    if decision == "keep" and old is not None:
        await kept.keep(insights.store, [misfit.id], old)
        text = f"Job {misfit.id} goes on with the old code, in turns with the new."
        voice.tell("decided", text, code=old, **facts)
    elif decision == "fork" and misfit.fork_at is not None:
        try:
            fork = await door.fork(misfit.id, at=misfit.fork_at)
        except LampworkError as error:
            if old is not None:
                await kept.keep(insights.store, [misfit.id], old)
            voice.tell("decided", f"{error} It goes on with the old code.", code=old, **facts)
            return
        await door.cancel(misfit.id)
        text = f"Job {misfit.id} is cancelled; job {fork.job_id} goes on in its place, from call "
        voice.tell("decided", f"{text}{misfit.fork_at}.", fork=fork.job_id, **facts)
    elif decision == "discard":
        for job_id in _unended(misfit):
            await door.cancel(job_id)
        voice.tell("decided", f"Job {misfit.id} is cancelled.", **facts)
    else:
        text = f"Job {misfit.id} needs attention when it goes on: its old code is not here."
        voice.tell("decided", text, **facts)


def _unended(misfit: Misfit) -> list[str]:
    """What is cancelled with all below it: the whole, or of one that has ended its parts."""
    return [misfit.id] if misfit.top.ended_at is None else [each.job_id for each in misfit.jobs]
