"""The chat's terminal: what is typed, what is shown, and the questions that are asked right there.

Somebody who types is waited for outside the event loop, so that Ctrl-C and Ctrl-D are theirs.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import importlib
import os
import select
import sys
import termios
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lampwork.cli import output
from lampwork.cli.chat import asking
from lampwork.cli.chat.chatting import OVER, Asked, Chat, Ended, Interrupted
from lampwork.cli.chat.piped import Piped
from lampwork.cli.chat.saying import Shown
from lampwork.cli.ended import summary
from lampwork.cli.metadata import warn_of_withheld
from lampwork.cli.screen import tree
from lampwork.cli.stopping import INTERRUPTED, end_on_next
from lampwork.errors import AlreadyAnswered, Conflict, InputInvalid, has_ended
from lampwork.views import (
    ConversationDetails,
    JobDetails,
    JobTree,
    TaskEnd,
    Told,
    WaitingOn,
    to_json,
)

__all__ = ["talk"]


def talk(chat: Chat, messages: Sequence[str]) -> int:
    """Talk until nothing more is said; the exit code."""
    with asyncio.Runner() as runner:
        here = _Terminal(chat, runner)
        try:
            return here.talk(messages)
        finally:
            here.end()


@dataclass(slots=True)
class _Terminal:
    chat: Chat
    runner: asyncio.Runner
    code: int = 0
    stopped: bool = False
    """Whether nothing more can be said now."""
    shown: Shown = field(default_factory=Shown)
    told: set[str] = field(default_factory=set[str])
    piped: Piped | None = None
    """Where the messages come from, if nobody types them."""

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
        if self.asks and not messages:
            output.say(f"You talk with {self.chat.terms.genie}. Ctrl-D ends.")
        warn_of_withheld(self.chat.genie, self.chat.terms.texts)
        if found is not None:
            self.resume(found)
        if not messages and not self.asks:
            self.piped = Piped(sys.stdin.fileno())
        texts = self.texts(messages)
        while not self.stopped and (text := next(texts, None)) is not None:
            self.follow(self.runner.run(self.chat.send(text)))
        if self.stopped:
            self.say_unsent(list(self.piped.lines(wait=False) if self.piped else texts))
        return self.code

    def texts(self, messages: Sequence[str]) -> Iterator[str]:
        """What is said."""
        if messages:
            yield from messages
        elif self.piped is not None:
            yield from self.piped.lines()
        else:
            yield from self.typed()

    def say_unsent(self, texts: Sequence[str]) -> None:
        """What was given to be said, and was not."""
        if texts:
            were = f"{output.counted(len(texts), 'message')} {'was' if len(texts) == 1 else 'were'}"
            output.warn(f'{were} not sent, from "{output.cut(texts[0], 60)}" on.')

    def typed(self) -> Iterator[str]:
        with contextlib.suppress(ImportError):
            importlib.import_module("readline")  # then input() edits lines, and knows earlier ones
        hint = ""
        while not self.stopped:
            try:
                text = input(f"{hint}\nyou: ").strip()
            except EOFError:
                output.say()
                return
            except KeyboardInterrupt:
                hint = "\nCtrl-D ends.\n"  # shown by input(): no other Ctrl-C comes in between
                continue
            hint = ""
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

    def end(self) -> None:
        end_on_next()
        if self.chat.conversation is not None and not self.chat.options.as_json:
            output.warn(f"Chat {self.chat.conversation}. Go on with it: {self.chat.go_on()}")
        self.runner.run(self.chat.close())

    # --- one message ---

    def follow(self, job_id: str) -> None:
        """Follow a message until its reply, asking what there is to be asked."""
        if (lacking := self.runner.run(self.chat.lacking())) is not None:
            output.warn(lacking)
        while True:
            news = self.runner.run(self.chat.news(job_id, self.shown, self.told, self.leaves))
            match news:
                case Ended(job):
                    self.say_reply(job)
                    return
                case Interrupted():
                    self.say_interrupted(news)
                    return
                case Asked(job, questions) if self.asks:
                    self.shown.fresh_line()
                    self.say_what_to_do(job, [each for _, each in questions])
                    if not all(self.decided(each) for _, each in questions):
                        self.leave(questions)
                        return
                case Asked(job):
                    self.say_left(job)
                    self.leave(())
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
            output.warn(f"Error: no reply, the message {has_ended(job.status)}{why}")
            look = self.chat.options.to_type("job", job.job_id)
            output.warn(f"Say it again, or look at it: {look}")

    def say_interrupted(self, news: Interrupted) -> None:
        end_on_next()
        self.code, self.stopped = INTERRUPTED, True
        self.shown.fresh_line()
        if news.executing_here:
            output.warn("The message is kept: go on with the chat for its reply.")
            grace = self.chat.options.settings.grace
            output.warn(f"Closing: what executes gets up to {grace:g} s. Ctrl-C again: at once.")
        elif self.runner.run(self.chat.executed_elsewhere()):
            output.warn("The message is kept, and is worked on in the process that executes it.")
        else:
            output.warn("The message is kept, and is worked on when you go on with the chat.")

    # --- what people decide ---

    def say_what_to_do(self, job: JobTree, asked: Sequence[WaitingOn]) -> None:
        """Of waits that are not asked about here."""
        for job_id, wait in tree.each_wait(job.job_id, job.waiting_on):
            if wait not in asked:
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

    def leave(self, undecided: Sequence[tuple[str, WaitingOn]]) -> None:
        """Without a decision there is nothing to wait for."""
        self.code, self.stopped = 1, True
        for job_id, wait in undecided:
            for line in _what_to_do(self.chat, job_id, wait):
                output.warn(line)

    def decided(self, wait: WaitingOn) -> bool:
        """Ask the user; False if there was no answer."""
        while True:
            if wait.kind == "confirmation":
                decision = asking.ask_to_confirm(self.chat.terms.genie, wait)
            else:
                decision = asking.ask_what_became(wait)
            if decision is None:
                return False
            try:
                self.runner.run(self.chat.decide(wait, decision))
            except AlreadyAnswered as error:
                output.warn(f"It was decided elsewhere, by {error.source}.")
            except InputInvalid as error:
                output.warn(f"Error: {error.message}")
                continue
            except Conflict as error:
                output.warn(f"Error: {error.message}")
            return True

    def leaves(self) -> bool:
        """Whether Ctrl-D was typed, with nothing before it that is still to be read."""
        return self.asks and _at_end(sys.stdin.fileno())


def _at_end(terminal: int) -> bool:
    """Whether the end of input is all that a terminal holds; then it is taken from it."""
    if not select.select([terminal], [], [], 0)[0]:
        return False
    held = array.array("i", [0])
    fcntl.ioctl(terminal, termios.FIONREAD, held)  # characters of whole lines, and no Ctrl-D
    if held[0]:
        return False
    os.read(terminal, 1)
    return True


def _what_to_do(chat: Chat, job_id: str, wait: WaitingOn) -> Iterator[str]:
    remedies = tree.remedies(chat.options, job_id, wait)
    if remedies:
        if wait.kind == "resolution":
            yield f"It is not known {wait.what}. Say it:"
        else:
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
