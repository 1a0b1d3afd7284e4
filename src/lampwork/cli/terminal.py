"""The chat's terminal: what is typed, what is shown, and the questions that are asked right there.

Somebody who types is waited for outside the event loop, so that Ctrl-C and Ctrl-D are theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lampwork.cli import output, tree
from lampwork.cli.chatting import OVER, Asked, Chat, Ended, Interrupted
from lampwork.cli.execution import summary
from lampwork.cli.saying import Shown
from lampwork.cli.typed import drop_typed
from lampwork.errors import AlreadyAnswered, Conflict
from lampwork.insights import (
    ConversationDetails,
    JobDetails,
    JobTree,
    TaskEnd,
    Told,
    WaitingOn,
    to_json,
)

__all__ = ["talk"]

_INTERRUPTED = 130


def talk(chat: Chat, messages: Sequence[str]) -> int:
    """Talk until nothing more is said; the exit code."""
    with asyncio.Runner() as runner:
        here = _Terminal(chat, runner)
        hurry = True
        try:
            hurry = here.talk(messages) == _INTERRUPTED
            return here.code
        finally:
            here.end(hurry=hurry)


@dataclass(slots=True)
class _Terminal:
    chat: Chat
    runner: asyncio.Runner
    code: int = 0
    stopped: bool = False
    """Whether nothing more can be said now."""
    shown: Shown = field(default_factory=Shown)
    told: set[str] = field(default_factory=set[str])

    @property
    def asks(self) -> bool:
        """Whether somebody is there who can be asked."""
        return sys.stdin.isatty() and output.on_terminal() and not self.chat.options.as_json

    # --- from the first message to the last ---

    def talk(self, messages: Sequence[str]) -> int:
        self.shown.silent = not self.asks
        self.shown.genie = self.chat.terms.genie
        listener = self.shown.take if self.asks else None
        found = self.runner.run(self.chat.open(listener))
        if found is not None:
            self.resume(found)
        for text in self.texts(messages) if not self.stopped else ():
            self.follow(self.runner.run(self.chat.send(text)))
            if self.stopped:
                break
        return self.code

    def texts(self, messages: Sequence[str]) -> Iterator[str]:
        """What is said."""
        if messages:
            yield from messages
        elif self.asks:
            yield from self.typed()
        else:
            yield from filter(None, map(str.strip, sys.stdin))

    def typed(self) -> Iterator[str]:
        with contextlib.suppress(ImportError):
            importlib.import_module("readline")  # then input() edits lines, and knows earlier ones
        output.say(f"You talk with {self.chat.terms.genie}. Ctrl-D ends.")
        while True:
            try:
                text = input("\nyou: ").strip()
            except EOFError:
                output.say()
                return
            except KeyboardInterrupt:
                output.say("\nCtrl-D ends.")
                continue
            if text:
                yield text

    def resume(self, found: ConversationDetails) -> None:
        """Show the last exchange, and follow what has no reply yet."""
        if not self.shown.silent:
            for line in _last_exchange(found):
                output.say(line)
        for task in found.task_records:
            if task.status not in OVER and not self.stopped:
                self.follow(task.job)

    def end(self, *, hurry: bool) -> None:
        if self.chat.conversation is not None and not self.chat.options.as_json:
            output.warn(f"Chat {self.chat.conversation}. Go on with it: {self.chat.go_on()}")
        self.runner.run(self.chat.close(hurry=hurry))

    # --- one message ---

    def follow(self, job_id: str) -> None:
        """Follow a message until its reply, asking what there is to be asked."""
        if (lacking := self.runner.run(self.chat.lacking())) is not None:
            output.warn(lacking)
        while True:
            news = self.runner.run(self.chat.news(job_id, self.shown.show, self.told))
            match news:
                case Ended(job):
                    self.say_reply(job)
                    return
                case Interrupted():
                    self.say_interrupted(news)
                    return
                case Asked(job, confirmations) if self.asks:
                    self.shown.fresh_line()
                    self.say_what_to_do(job)
                    if not all(map(self.decided, confirmations)):
                        self.leave(job_id, confirmations)
                        return
                case Asked(job, confirmations):
                    self.say_left(job)
                    self.leave(job_id, ())
                    return

    def say_reply(self, job: JobDetails) -> None:
        self.code = 0 if job.status == "succeeded" and (self.asks or not self.code) else 1
        if self.chat.options.as_json:
            output.say_json_line(summary(job))
        elif job.status == "succeeded":
            self.shown.reply(job.output["response"])
        else:
            why = "" if job.error is None else f": {job.error.message}"
            self.shown.fresh_line()
            output.warn(f"Error: no reply, the message has {job.status}{why}")
            look = self.chat.options.to_type("job", job.job_id)
            output.warn(f"Say it again, or look at it: {look}")

    def say_interrupted(self, news: Interrupted) -> None:
        self.code, self.stopped = _INTERRUPTED, True
        self.shown.fresh_line()
        if news.executing_here:
            output.warn("The message is kept: go on with the chat for its reply.")
            grace = self.chat.options.settings.grace
            output.warn(f"Closing: what executes gets up to {grace:g} s. Ctrl-C again: at once.")
        else:
            output.warn("The message is kept, and is worked on in the process that executes it.")

    # --- what people decide ---

    def say_what_to_do(self, job: JobTree) -> None:
        """Of waits that are not decided here."""
        for job_id, wait in tree.each_wait(job.job_id, job.waiting_on):
            if wait.kind != "confirmation":
                for line in _what_to_do(self.chat, job_id, wait):
                    output.warn(line)

    def say_left(self, job: JobTree) -> None:
        """Nobody is here to be asked."""
        if self.chat.options.as_json:
            waits = [wait for _, wait in tree.each_wait(job.job_id, job.waiting_on)]
            here: dict[str, Any] = {"job_id": job.job_id, "status": job.status}
            here["conversation_id"] = self.chat.conversation
            output.say_json_line(here | {"waiting_on": to_json(waits)})
            return
        for job_id, wait in tree.each_wait(job.job_id, job.waiting_on):
            for line in _what_to_do(self.chat, job_id, wait):
                output.warn(line)
        output.warn("It is left waiting, and nothing more is said here.")

    def leave(self, job_id: str, undecided: Sequence[WaitingOn]) -> None:
        """Without a decision there is nothing to wait for."""
        self.code, self.stopped = 1, True
        for wait in undecided:
            for line in _what_to_do(self.chat, job_id, wait):
                output.warn(line)

    def decided(self, wait: WaitingOn) -> bool:
        """Ask the user; False if there was no answer."""
        for line in _question(self.chat.terms.genie, wait):
            output.say(line)
        drop_typed()
        while True:
            try:
                word = input("Do it? y, n, or why not: ").strip()
            except (EOFError, KeyboardInterrupt):
                output.say()
                return False
            if word:
                break
        yes, no = word.lower() in ("y", "yes"), word.lower() in ("n", "no")
        try:
            reason = None if yes else "" if no else word
            self.runner.run(self.chat.decide(wait, reason))
        except AlreadyAnswered as error:
            output.warn(f"It was decided elsewhere, by {error.source}.")
        except Conflict as error:
            output.warn(f"Error: {error.message}")
        return True


def _question(genie: str, wait: WaitingOn) -> Iterator[str]:
    """What the genie means to do: in words, with every argument in full."""
    subject = wait.subject or {}
    says = f": {subject['says']}" if subject["says"] else ""
    yield f"\n{genie} wants to call {subject['skill']}{says}"
    facts = {name: (value, "") for name, value in subject["arguments"].items()}
    facts |= {name: (value, "  (metadata)") for name, value in (wait.metadata or {}).items()}
    widest = max(map(len, facts), default=0)
    for name, (value, note) in facts.items():
        first, *more = output.pretty(value).splitlines() or [""]
        yield f"  {name:{widest}}  {first}{note}"
        yield from (f"  {'':{widest}}  {line}" for line in more)


def _what_to_do(chat: Chat, job_id: str, wait: WaitingOn) -> Iterator[str]:
    remedies = tree.remedies(chat.options, job_id, wait)
    if remedies:
        yield f"It waits for {wait.what}."
        yield from (f"  {each}" for each in remedies)


def _last_exchange(found: ConversationDetails) -> Iterator[str]:
    """What was said last, and the reply to it if there is one."""
    said: Told | None = None
    reply: TaskEnd | None = None
    for part in found.transcript:
        if isinstance(part, Told):
            said, reply = part, None
        elif isinstance(part, TaskEnd):
            reply = part
    if said is not None:
        yield f"\nyou: {said.instructions}"
    if said is not None and reply is not None:
        yield f"\n{said.genie}: {reply.response or reply.reason}"
