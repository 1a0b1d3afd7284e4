"""A chat as its terminal holds it: what is sent, followed and decided, without asking anybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from lampwork.app import App
from lampwork.cli.chat.asking import Decision
from lampwork.cli.chat.saying import Shown
from lampwork.cli.executing import Executing, quieten
from lampwork.cli.options import Options
from lampwork.cli.screen import tree
from lampwork.cli.stopping import stop_signals
from lampwork.door import Door
from lampwork.genies.cast import Cast
from lampwork.genies.genie import Genie
from lampwork.insights import Insights
from lampwork.metadata import from_texts
from lampwork.models import TextDelta
from lampwork.project import Project
from lampwork.views import ConversationDetails, JobDetails, JobTree, WaitingOn

__all__ = ["OVER", "Asked", "Chat", "Ended", "Interrupted", "News", "Terms"]

OVER = ("answered", "failed", "cancelled")
"""The statuses of tasks that have ended."""

_EVERY = 0.1
"""Seconds between two looks at what the genie does."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who talks with whom, and about what."""

    genie: str
    user: str
    user_named: bool
    """Whether it was said who the user is."""
    pairs: tuple[str, ...]
    """The metadata, as it was typed."""
    texts: dict[str, Any]
    conversation: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The message has its reply, or has failed."""

    job: JobDetails


@dataclass(frozen=True, slots=True)
class Asked:
    """A person must decide, or do something else, before it goes on."""

    job: JobTree
    questions: tuple[tuple[str, WaitingOn], ...]
    """What the user can say here, with the job whose own wait it is."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl-C or Ctrl-D, while the genie worked."""

    job_id: str
    executing_here: bool


News = Ended | Asked | Interrupted


@dataclass(slots=True)
class Chat:
    """One chat, and the process that executes it, if that is this one."""

    project: Project
    project_word: str | None
    options: Options
    terms: Terms
    conversation: str | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _insights: Insights | None = None
    _executing: Executing | None = None
    _on_text: Callable[[TextDelta], None] | None = None
    _mine: list[str] = field(default_factory=list[str])
    """The jobs of its messages, to be executed once this process does."""
    _heeding: ExitStack = field(default_factory=ExitStack)
    _stopped: asyncio.Event | None = None
    """Set by a signal, while a message is sent or followed."""

    @property
    def insights(self) -> Insights:
        """What is on record."""
        assert self._insights is not None
        return self._insights

    @property
    def door(self) -> Door:
        """By which it is talked: of this process, if it executes."""
        if self._app is not None:
            return self._app
        cast = Cast(self.options.settings.model)
        return Door(self.project, self.insights.store, cast=cast)

    @property
    def genie(self) -> Genie:
        """With whom it is talked."""
        return self.project.find_genie(self.terms.genie)

    @property
    def _app(self) -> App | None:
        return self._executing.app if self._executing is not None else None

    @property
    def known(self) -> dict[str, Any]:
        """The metadata."""
        return from_texts(self.genie.metadata, self.terms.texts)

    def go_on(self) -> str:
        """What to type to go on with it."""
        words = ["chat", *filter(None, [self.project_word]), self.terms.genie]
        words += ["--conversation", self.conversation or ""]
        words += ["--user", self.terms.user] if self.terms.user_named else []
        words += [word for pair in self.terms.pairs for word in ("--metadata", pair)]
        return self.options.to_type(*words)

    # --- its life ---

    async def open(self, on_text: Callable[[TextDelta], None] | None) -> ConversationDetails | None:
        """Execute here unless another process does. The conversation, if it goes on with one.

        Raises what keeps the user from talking with the genie.
        """
        quieten()
        place = self.options.settings.place
        self._insights = await self.stack.enter_async_context(Insights.opened(place))
        found = None
        if self.terms.conversation is not None:
            await self.insights.check_conversation(self.terms.conversation)
        user, genie = self.terms.user, self.terms.genie
        terms: Any = {"conversation": self.terms.conversation, "metadata": self.known}
        await self.door.check_message(genie, "…", user=user, **terms)
        if self.terms.conversation is not None:
            self.conversation = self.terms.conversation
            found = await self.insights.conversation(self.conversation)
            self._mine = [task.job for task in found.task_records if task.status not in OVER]
        self._on_text = on_text
        self._executing = Executing(place, self._opened, self.stack)
        await self._executing.take()
        return found

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[App]:
        settings = replace(self.options.settings, trees=frozenset[str]())
        async with App.opened(self.project, settings) as app:
            await app.take_on(self._mine)
            heard = nullcontext() if self._on_text is None else app.on_text(self._on_text)
            with heard:
                yield app

    async def close(self) -> None:
        """End; what executes gets some time for it."""
        await self.stack.aclose()

    @property
    def executes(self) -> bool:
        """Whether this process does the work."""
        return self._app is not None

    async def executed_elsewhere(self) -> bool:
        """Whether another process does the work."""
        executor = await self.insights.executing(self.project.name)
        return executor is not None and executor.executes_all_of(self.project.name)

    async def lacking(self) -> str | None:
        """Why the work has to wait: another process executes here, and something else."""
        executor = None if self.executes else await self.insights.executing(self.project.name)
        if executor is None or await self.executed_elsewhere():
            return None
        return (
            f"Process {executor.pid} executes here what it was started for, and nothing else. "
            "The message is kept, and is worked on when that has ended."
        )

    # --- messages ---

    async def send(self, text: str) -> str:
        """Say something; the job that carries it."""
        assert self._executing is not None
        self._heed()  # already: its genie may be at work before it is followed
        try:
            await self._executing.take()  # as a chat that is opened now would
            terms: Any = {"conversation": self.conversation, "metadata": self.known}
            user, genie = self.terms.user, self.terms.genie
            job = await self.door.send_message(genie, text, user=user, kind="cli", **terms)
        except BaseException:
            self._heed_no_more()
            raise
        self._mine.append(job.job_id)
        return job.job_id

    def _heed(self) -> asyncio.Event:
        """Take a signal as the wish to leave a message, until there is news of it."""
        if self._stopped is None:
            self._stopped = self._heeding.enter_context(stop_signals())
        return self._stopped

    def _heed_no_more(self) -> None:
        self._heeding.close()
        self._stopped = None

    async def news(
        self, job_id: str, shown: Shown, told: set[str], leaves: Callable[[], bool]
    ) -> News:
        """Follow a message until there is something to say; `told` has the waits that were told."""
        assert self._executing is not None
        async with self._executing.taking_over():
            return await self._news(job_id, shown, told, leaves)

    async def _news(
        self, job_id: str, shown: Shown, told: set[str], leaves: Callable[[], bool]
    ) -> News:
        stopped = self._heed()
        ended = asyncio.create_task(self.door.ended(job_id))
        stopping = asyncio.create_task(stopped.wait())
        both = {ended, stopping}
        try:
            while True:
                await asyncio.wait(both, timeout=_EVERY, return_when=asyncio.FIRST_COMPLETED)
                # In this order: the job then holds all that was done before its end.
                has_ended = ended.done()
                shown.look()
                job = await self.insights.tree(job_id)
                self._learn(job)
                shown.show(job)
                if has_ended:
                    ended.result()
                    return Ended(await self.insights.job(job_id))
                if stopped.is_set() or leaves():
                    return Interrupted(job_id, self.executes)
                if (asked := _asked(job, told)) is not None:
                    return asked
        finally:
            for each in both:
                each.cancel()
            self._heed_no_more()

    def _learn(self, job: JobTree) -> None:
        """The first message begins the conversation."""
        for call in job.calls:
            if call.task is not None:
                self.conversation = call.task.conversation_id

    async def decide(self, wait: WaitingOn, decision: Decision) -> None:
        """Let it be known. Raises AlreadyAnswered and the like, InputInvalid for a result."""
        wait_id, by, reason = wait.wait_id or "", self.terms.user, decision.reason
        digest = str((wait.subject or {}).get("digest"))
        match decision.verdict:
            case "confirm":
                await self.door.confirm(wait_id, by=by, digest=digest)
            case "reject":
                await self.door.reject(wait_id, by=by, digest=digest, reason=reason)
            case verdict:
                result = decision.result
                await self.door.resolve(wait_id, verdict, result=result, reason=reason, by=by)


_NEED_PERSON = ("confirmation", "approval", "resolution", "attention", "paused", "event")
_QUESTIONS = ("confirmation", "resolution")


def _asked(job: JobTree, told: set[str]) -> Asked | None:
    """What a person has not been told of yet."""
    new: list[tuple[str, WaitingOn]] = []
    for job_id, wait in tree.each_wait(job.job_id, job.waiting_on):
        name = wait.wait_id or f"{job_id} {wait.kind}"
        if wait.kind in _NEED_PERSON and name not in told:
            told.add(name)
            new.append((job_id, wait))
    if not new:
        return None
    return Asked(job, tuple(each for each in new if each[1].kind in _QUESTIONS))
