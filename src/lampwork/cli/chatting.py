"""A chat as its terminal holds it: what is sent, followed and decided, without asking anybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from lampwork.app import App
from lampwork.cli.options import Options
from lampwork.cli.stopping import stop_signals
from lampwork.cli.working import executor_lacking
from lampwork.door import Door
from lampwork.errors import FolderInUse
from lampwork.genies.cast import Cast
from lampwork.insights import ConversationDetails, Insights, JobDetails, JobTree, WaitingOn
from lampwork.metadata import from_texts
from lampwork.models import TextDelta
from lampwork.project import Project

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
    confirmations: tuple[WaitingOn, ...]
    """What the user can decide here."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl-C, while the genie worked."""

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
    _app: App | None = None

    @property
    def insights(self) -> Insights:
        """What is on record."""
        assert self._insights is not None
        return self._insights

    @property
    def door(self) -> Door:
        """By which it is talked: of this process, if it executes."""
        cast = Cast(self.options.settings.model)
        return self._app or Door(self.project, self.insights.store, cast=cast)

    @property
    def known(self) -> dict[str, Any]:
        """The metadata."""
        return from_texts(self.project.find_genie(self.terms.genie).metadata, self.terms.texts)

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
        logging.getLogger("lampwork").setLevel(logging.ERROR)
        home = self.options.settings.home
        self._insights = await self.stack.enter_async_context(Insights.opened(home))
        found = None
        if self.terms.conversation is not None:
            await self.insights.check_conversation(self.terms.conversation)
        user, genie = self.terms.user, self.terms.genie
        terms: Any = {"conversation": self.terms.conversation, "metadata": self.known}
        await self.door.check_message(genie, "…", user=user, **terms)
        if self.terms.conversation is not None:
            self.conversation = self.terms.conversation
            found = await self.insights.conversation(self.conversation)
        try:
            settings = replace(self.options.settings, trees=frozenset[str]())
            opened = App.opened(self.project, settings)
            self._app = await self.stack.enter_async_context(opened)
            if found is not None:
                unfinished = [task.job for task in found.task_records if task.status not in OVER]
                await self._app.take_on(unfinished)
            if on_text is not None:
                self.stack.enter_context(self._app.on_text(on_text))
        except FolderInUse:
            pass
        return found

    async def close(self, *, hurry: bool) -> None:
        """End; what executes gets some time for it, until the next Ctrl-C if in a `hurry`."""
        with stop_signals() as stopped:
            if hurry:
                stopped.set()
            await self.stack.aclose()

    @property
    def executes(self) -> bool:
        """Whether this process does the work."""
        return self._app is not None

    async def lacking(self) -> str | None:
        """What has to be done for anything to be executed."""
        if self._app is not None:
            return None
        named = [self.project_word] if self.project_word is not None else []
        worker = self.options.to_type("worker", *named)
        return executor_lacking(await self.insights.executing(), self.project.name, worker)

    # --- messages ---

    async def send(self, text: str) -> str:
        """Say something; the job that carries it."""
        terms: Any = {"conversation": self.conversation, "metadata": self.known}
        user, genie = self.terms.user, self.terms.genie
        return (await self.door.send_message(genie, text, user=user, kind="cli", **terms)).job_id

    async def news(self, job_id: str, show: Callable[[JobTree], None], told: set[str]) -> News:
        """Follow a message until there is something to say; `told` has the waits that were told."""
        with stop_signals() as stopped:
            ended = asyncio.create_task(self.door.ended(job_id))
            stopping = asyncio.create_task(stopped.wait())
            both = {ended, stopping}
            try:
                while True:
                    await asyncio.wait(both, timeout=_EVERY, return_when=asyncio.FIRST_COMPLETED)
                    job = await self.insights.tree(job_id)
                    self._learn(job)
                    show(job)
                    if ended.done():
                        ended.result()
                        return Ended(await self.insights.job(job_id))
                    if stopped.is_set():
                        return Interrupted(job_id, self.executes)
                    if (asked := _asked(job, told)) is not None:
                        return asked
            finally:
                for each in both:
                    each.cancel()

    def _learn(self, job: JobTree) -> None:
        """The first message begins the conversation."""
        for call in job.calls:
            if call.task is not None:
                self.conversation = call.task.conversation_id

    async def decide(self, wait: WaitingOn, reason: str | None) -> None:
        """Confirm, or reject with a reason. Raises AlreadyAnswered and the like."""
        wait_id, digest = wait.wait_id or "", str((wait.subject or {})["digest"])
        if reason is None:
            await self.door.confirm(wait_id, by=self.terms.user, digest=digest)
        else:
            await self.door.reject(wait_id, by=self.terms.user, digest=digest, reason=reason)


def _asked(job: JobTree, told: set[str]) -> Asked | None:
    """What a person has not been told of yet."""
    waits = [wait for wait in job.waiting_on if _needs_person(wait)]
    new = [wait for wait in waits if (wait.wait_id or wait.kind) not in told]
    if not new:
        return None
    told.update(wait.wait_id or wait.kind for wait in new)
    return Asked(job, tuple(wait for wait in new if wait.kind == "confirmation"))


def _needs_person(wait: WaitingOn) -> bool:
    if wait.kind in ("confirmation", "resolution", "attention", "paused", "event"):
        return True
    return any(map(_needs_person, wait.waiting_on))
