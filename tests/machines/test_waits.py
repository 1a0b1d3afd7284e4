"""A wait, by its machine: whatever happens in whatever order, the first answer wins and stays."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from tests.machines.ground import Ground, tries

from lampwork.errors import (
    AlreadyAnswered,
    JobEnded,
    LampworkError,
    ProposalChanged,
    UserNotAllowed,
    WaitNotFound,
)
from lampwork.store import schema
from lampwork.store.jobs import endings, inbox, new_jobs, wanted
from lampwork.store.jobs.inbox import Wait
from lampwork.store.processes.share import Share
from lampwork.types import WaitKind

PROJECT = "waits"
SHARE = Share(PROJECT, "e1")
USERS = st.sampled_from(["ann", "ann", "eve"])
NAMES = st.sampled_from(["go", "go", "stop"])
TIMEOUTS = st.sampled_from([None, None, 5.0, 50.0])


@dataclass
class Known:
    """What the machine knows of a wait."""

    wait: Wait
    answer: tuple[str, Any, str] | None = None
    opened: bool = True
    heard: bool = False
    """By the run that waits: it does not stand there any more."""


class WaitMachine(RuleBasedStateMachine):
    """One job whose waits are opened, answered, forgotten by a crash and opened again."""

    waits = Bundle("waits")
    words = Bundle("words")

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.job = ground.example()
        self.known: dict[str, Known] = {}
        self.unread: dict[str, list[int]] = {"go": [], "stop": []}
        self.delivered: list[str] = []
        self.values = itertools.count()  # each of its own, so that none passes for another
        self.want, self.ended, self.was_parked = "run", False, False

    @initialize(target=words)
    def accept(self) -> str:
        self.ground.write(
            new_jobs.create,
            [new_jobs.NewJob(self.job, PROJECT, "recipe", "v", {}, {"kind": "api"}, self.job)],
        )
        return self._open("resolution", 50.0, subject={"key": "k"}, task_id="t1")

    # --- the run ---

    def _open(self, kind: WaitKind, timeout: float | None, **more: Any) -> str:
        number = len(self.known) + 1
        due = None if timeout is None else self.ground.clock.at + timeout
        wait = Wait(f"w{self.job[1:]}.{number}", self.job, number, kind, due_at=due, **more)
        known = self.known[wait.id] = Known(wait)
        if wait.topic is not None and self.unread[wait.subject["name"]]:
            known.answer = ("message", self.unread[wait.subject["name"]].pop(0), "a")
        self._opens(known)
        return wait.id

    def _opens(self, known: Known) -> None:
        answer, due = self.ground.write(inbox.open_wait, known.wait)
        given = None if answer is None else (answer.kind, answer.value, answer.source)
        assert given == known.answer
        assert due == (None if given else known.wait.due_at)
        known.heard = given is not None

    @precondition(lambda self: self.want == "run" and not self.ended)
    @rule(target=waits, name=NAMES, timeout=TIMEOUTS)
    def wait_for_an_event(self, name: str, timeout: float | None) -> str:
        return self._open("event", timeout, subject={"name": name}, topic=f"{self.job}/{name}")

    @precondition(lambda self: self.want == "run" and not self.ended)
    @rule(target=words, timeout=TIMEOUTS)
    def wait_for_a_word(self, timeout: float | None) -> str:
        return self._open("resolution", timeout, subject={"key": "k"}, task_id="t1")

    @precondition(lambda self: self.want == "run" and not self.ended)
    @rule(wait=waits | words, later=st.floats(1, 99))
    def open_again(self, wait: str, later: float) -> None:
        """A replay does: the same answer as before, and the time of the first opening."""
        known = self.known[wait]
        again = inbox.open_wait
        answer, due = self.ground.write(
            again, Wait(**{**_fields(known.wait), "due_at": self.ground.clock.at + later})
        )
        given = None if answer is None else (answer.kind, answer.value, answer.source)
        assert given == known.answer
        assert due == (None if given else known.wait.due_at)
        known.heard = given is not None

    @rule()
    def crash(self) -> None:
        self.ground.crash()

    # --- from outside ---

    @rule(name=NAMES)
    def send(self, name: str) -> None:
        value = next(self.values)
        topic = f"{self.job}/{name}"
        if self.ended:
            with pytest.raises(JobEnded):
                self.ground.write(inbox.send, self.job, topic, value, "a")
            return
        told = self.ground.write(inbox.send, self.job, topic, value, "a")
        self.unread[name].append(value)
        waiting = [
            each for each in self.known.values() if each.wait.topic == topic and not each.answer
        ]
        if waiting:
            waiting[0].answer = ("message", self.unread[name].pop(0), "a")
        self._told(told, waiting[:1])

    @rule(wait=words | words | waits, who=st.sampled_from(["ben", "cat"]))
    def answer(self, wait: str, who: str) -> None:
        known, value = self.known[wait], next(self.values)
        refused = self._refusal(known, "resolution")
        self._says(known, refused, inbox.answer, wait, value, who, kind="answer", said=value)

    @precondition(lambda self: self.want == "run")
    @rule(target=waits, who=USERS, digest=st.sampled_from(["d", "d", "other"]))
    def decide(self, who: str, digest: str) -> Any:
        """On what is proposed; twice is refused."""
        asked = [id for id, each in self.known.items() if each.wait.kind == "confirmation"]
        if self.ended and not asked:
            return multiple()
        if asked and (self.ended or not self.known[asked[-1]].answer):
            self._decide(asked[-1], who, digest)
            return multiple()
        proposed = self._open("confirmation", None, subject={"user": "ann", "digest": "d"})
        self._decide(proposed, who, digest)
        if asked:
            self._decide(asked[-1], who, digest)
        return proposed

    def _decide(self, wait: str, who: str, digest: str) -> None:
        known, said = self.known[wait], {"verdict": "confirm", "digest": digest}
        refused = self._refusal(known, "confirmation")
        if refused is not WaitNotFound and who != "ann":
            refused = UserNotAllowed
        if refused is None and digest != "d":
            refused = ProposalChanged
        self._says(known, refused, inbox.decide, wait, said, who, kind="answer", said=said)

    def _refusal(self, known: Known, kind: WaitKind) -> type[LampworkError] | None:
        if known.wait.kind != kind:
            return WaitNotFound
        if known.answer:
            return AlreadyAnswered
        return JobEnded if self.ended else None

    def _says(
        self,
        known: Known,
        refused: type[LampworkError] | None,
        change: Any,
        *what: Any,
        kind: str,
        said: Any,
    ) -> None:
        if refused is not None:
            with pytest.raises(refused):
                self.ground.write(change, *what)
            return
        told = [self.ground.write(change, *what)]
        known.answer = (kind, said, what[-1])
        self._told(told, [known])

    @rule(target=waits)
    def settle_before_it_is_opened(self) -> str:
        """A child may end before its parent waits for it."""
        value = next(self.values)
        wait = f"w{self.job[1:]}.{len(self.known) + 1}"
        told = self.ground.write(inbox.settle, wait, self.job, value, "job")
        known = Known(Wait(wait, self.job, len(self.known) + 1, "child", {}), opened=False)
        known.answer = ("answer", value, "job")
        self.known[wait] = known
        self._told(told, [known])
        self._opens(known)
        known.opened = True
        return wait

    @rule(wait=waits | words)
    def settle(self, wait: str) -> None:
        known, value = self.known[wait], next(self.values)
        told = self.ground.write(inbox.settle, wait, self.job, value, "job")
        first = not known.answer
        known.answer = known.answer or ("answer", value, "job")
        self._told(told, [known] if first else [])

    @rule(wait=waits)
    def withdraw(self, wait: str) -> None:
        known = self.known[wait]
        told = self.ground.write(inbox.withdraw, wait, self.job, "by hand")
        first = not known.answer
        known.answer = known.answer or ("withdrawn", {}, "by hand")
        self._told(told, [known] if first else [])

    @rule(seconds=st.sampled_from([1.0, 5.0, 60.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.ground.clock.at += seconds
        now = self.ground.clock.at
        due = [
            each
            for each in self.known.values()
            if not each.answer and each.wait.due_at is not None and each.wait.due_at <= now
        ]
        told = self.ground.write(inbox.expire, now)
        for each in due:
            each.answer = ("expired", None, "clock")
        self._told([each for each in told if each.job_id == self.job], due)

    def _told(self, told: list[inbox.Delivery], known: list[Known]) -> None:
        """Who is to be woken: those whose answer has just come, each with it."""
        assert {each.wait_id: _said(each.answer) for each in told} == {
            each.wait.id: each.answer for each in known
        }
        self.delivered += [each.wait_id for each in told]

    # --- parked, woken, ended ---

    @precondition(lambda self: self.want == "run" and not self.ended)
    @rule(hears=st.booleans())
    def park(self, hears: bool) -> None:
        """A run that has heard of its answers, or not yet, stands at the other waits."""
        for each in self.known.values():
            each.heard = each.heard or bool(each.answer and hears)
        standing = [each for each in self.known.values() if not each.heard]
        if not standing:
            return
        ids = [each.wait.id for each in standing]
        parked = self.ground.write(wanted.park, self.job, ids, "suspended")
        assert parked == (not any(each.answer for each in standing))
        if parked:
            self.want, self.was_parked = "parked", True
        for each in standing:
            each.heard = bool(each.answer)  # it is delivered to the run that stays

    @precondition(lambda self: self.want == "parked" and not self.ended)
    @rule()
    def wake(self) -> None:
        standing = [each for each in self.known.values() if not each.heard]
        # A task moves when all that it waits for has come, the recipe when all of its own has.
        of_task = [bool(each.answer) for each in standing if each.wait.task_id]
        may = all(each.answer for each in standing) or bool(of_task and all(of_task))
        assert self.ground.read(inbox.can_move, self.job) == may
        movable = self.ground.read(inbox.movable_jobs, SHARE)
        assert (self.job in movable) == any(each.answer for each in standing)
        if may:
            self.ground.write(wanted.unpark, self.job, SHARE)
            self.want = "run"

    @precondition(lambda self: not self.ended and len(self.known) > 3)
    @rule()
    def end(self) -> None:
        self.ground.write(endings.finish, self.job, "succeeded", '{"value":1}', None)
        self.ended = True

    # --- at all times ---

    @invariant()
    def it_is_as_the_first_answers_say(self) -> None:
        """The inbox holds the first answer of each wait, and what nobody has taken; nothing else.

        A wait shows whether it is answered, and when it is due; the job what is meant to happen.
        """
        ids = [each.wait.id for each in self.known.values()]
        topics = [f"{self.job}/{name}" for name in self.unread]
        row, wait, job = schema.inbox.c, schema.waits.c, schema.jobs.c
        mine = sa.or_(row.wait_id.in_(ids), row.topic.in_(topics))
        found, waits, jobs_found = self.ground.rows(
            sa.select(row.wait_id, row.topic, row.kind, row.value, row.source)
            .where(mine)
            .order_by(row.id),
            sa.select(wait.id, wait.answered, wait.due_at).where(wait.job_id == self.job),
            sa.select(job.want, job.status).where(job.id == self.job),
        )
        answers = [(each[0], each[2:]) for each in found if each[0] is not None]
        assert len(dict(answers)) == len(answers)
        assert dict(answers) == {
            each.wait.id: each.answer for each in self.known.values() if each.answer
        }
        assert sorted((each[1], each[3]) for each in found if each[0] is None) == sorted(
            (f"{self.job}/{name}", value)
            for name, values in self.unread.items()
            for value in values
        )
        assert sorted(waits) == sorted(
            (each.wait.id, each.answer is not None, each.wait.due_at)
            for each in self.known.values()
        )
        shown = "suspended" if self.want == "parked" or self.was_parked else "queued"
        assert jobs_found == [(self.want, "succeeded" if self.ended else shown)]

    @invariant()
    def nobody_is_told_twice(self) -> None:
        assert len(self.delivered) == len(set(self.delivered))


def _said(answer: inbox.Answer) -> tuple[str, Any, str]:
    return answer.kind, answer.value, answer.source


def _fields(wait: Wait) -> dict[str, Any]:
    return {name: getattr(wait, name) for name in Wait.__dataclass_fields__}


@pytest.mark.timeout(300)  # many examples
def test_the_first_answer_of_a_wait_counts_in_whatever_order_things_happen(ground: Ground) -> None:
    ground.play(WaitMachine, tries(20, 30))
