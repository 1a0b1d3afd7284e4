"""A task, by its machine: runs of it come, die and come back, and one of them alone is heard."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
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

from lampwork.errors import ConversationBusy, GenieInactive
from lampwork.store import schema
from lampwork.store.jobs import calls, cancelled, endings, inbox, new_jobs, wanted
from lampwork.store.spending import reservations
from lampwork.store.spending.reservations import Granted, Refused, Spent, Wanted
from lampwork.store.tasks import openings, pauses, tasks
from lampwork.store.tasks.conversations import StaleEpoch

JOBS = 5
TOKENS = 1000
"""The budget of each task."""

CALL = 1

WHO = st.sampled_from(["heard", "before", "any", "heard"])
"""Which run does it: the one that is heard, the one before it, or any."""

Rows = list[tuple[Any, ...]]


@dataclass
class Conversation:
    """What the machine knows of a conversation."""

    holder: str | None = None
    epoch: int = 0
    entries: list[tuple[int, str, int, Any]] = field(default_factory=list)
    line: list[str] = field(default_factory=list)


@dataclass
class Task:
    """What the machine knows of a task."""

    new: openings.NewTask
    epoch: int = 1
    history_until: int = -1
    told: list[str] = field(default_factory=list)
    """The waits in line under which it was told that it is its turn."""
    place: str | None = None
    ended: tuple[str, Any] | None = None
    """Its status and its outcome."""
    spent: int = 0
    reserved: int = 0


@dataclass(frozen=True)
class Run:
    """A run that works on a task, or believes to: under the epoch that it has claimed."""

    task: str
    epoch: int


class TaskMachine(RuleBasedStateMachine):
    """A few jobs, each with a task, on conversations that they share."""

    runs = Bundle("runs")

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.project = ground.example()
        self.conversations: dict[str, Conversation] = {}
        self.tasks: dict[str, Task] = {}
        self.stopped: set[str] = set()
        """Tasks whose job was cancelled."""
        self.paused = False
        self.free: list[str] = []
        """Jobs that have not assigned yet."""
        self.count = itertools.count(1)
        self.steps = 0
        """Taken so far: what ends a task comes later, or little would happen before."""

    @initialize(target=runs)
    def accept(self) -> Any:
        """The first three are on one conversation already, two of them in line."""
        ids = [f"{self.project}x{n}" for n in range(JOBS)]
        new = [new_jobs.NewJob(id, self.project, "recipe", "v", {}, {}, id) for id in ids]
        self.ground.write(new_jobs.create, new)
        first, *more, self.free = ids[0], ids[1], ids[2], ids[3:]
        willing = {"waits": True, "patient": True}
        opened = [self._open(self._new(first, "", False, **willing))]
        on = f"c{first[1:]}.{CALL}"
        opened += [self._open(self._new(each, on, True, **willing)) for each in more]
        return multiple(*opened)

    # --- opening ---

    @precondition(lambda self: self.free)
    @rule(
        target=runs,
        which=st.integers(0, 2),
        waits=st.booleans(),
        patient=st.booleans(),
    )
    def assign(self, which: int, waits: bool, patient: bool) -> Any:
        """On a conversation that there is, or a new one; ready to wait for it, or for the genie."""
        job, there = self.free[0], list(self.conversations)
        goes_on = which < len(there)
        on = there[which] if goes_on else ""
        opened = self._open(self._new(job, on, goes_on, waits=waits, patient=patient))
        if f"t{job[1:]}.{CALL}" in self.tasks:
            self.free.remove(job)
        return opened

    def _new(self, job: str, on: str, goes_on: bool, *, waits: bool, patient: bool) -> Any:
        return openings.NewTask(
            id=f"t{job[1:]}.{CALL}",
            job_id=job,
            call=CALL,
            begins=calls.Beginning(calls.Leading(job, 0), CALL, "task", "clerk", "digest"),
            root_id=job,
            parent_id=None,
            depth=1,
            project=self.project,
            genie="clerk",
            conversation_id=on or f"c{job[1:]}.{CALL}",
            continues=goes_on,
            wait_id=f"w{job[1:]}.{CALL}" if waits else None,
            waits_if_paused=patient,
            told={"instructions": f"of {job}", "data": None, "on_problem": "fail"},
            briefing=("digest", "{}"),
            metadata={},
            sealed=[],
            output_schema=None,
            output_type=None,
            metered=True,
            limits={"tokens": TOKENS},
        )

    def _open(self, new: openings.NewTask) -> Any:
        open = openings.open_or_claim
        known = self.conversations.get(new.conversation_id)
        if self.paused:
            if not new.waits_if_paused:
                with pytest.raises(GenieInactive):
                    self.ground.write(open, new)
                return multiple()
            wait = self.ground.write(open, new)
            assert isinstance(wait, inbox.Wait)
            assert (wait.kind, wait.task_id) == ("paused", new.id)
            return multiple()
        if known is not None and known.holder is not None and new.wait_id is None:
            with pytest.raises(ConversationBusy):
                self.ground.write(open, new)
            return multiple()
        claim = self.ground.write(open, new)
        assert claim.is_new
        known = self.conversations.setdefault(new.conversation_id, Conversation())
        task = self.tasks[new.id] = Task(new)
        if known.holder is None:
            known.holder, known.epoch = new.id, 1
            task.history_until = len(known.entries)
            self._written(known, new.id, [("told", new.told)])
        else:
            known.line.append(new.id)
            task.place = new.wait_id
        assert (claim.holds, claim.wait_id) == (known.holder == new.id, task.place)
        return Run(new.id, 1)

    # --- one run after the other ---

    @rule(target=runs, run=runs, late=st.sampled_from(["append", "finish", "reserve"]))
    def begin_again(self, run: Run, late: str) -> Any:
        """Another run of the job, after a crash or a wait; the one before has not heard of it."""
        task, known = self._of(run)
        if run.task in self.stopped:
            return multiple()
        regains = known.holder != run.task and task.place is None and task.ended is None
        if regains and known.holder is not None and task.new.wait_id is None:
            with pytest.raises(ConversationBusy):
                self.ground.write(openings.open_or_claim, task.new)
            return multiple()
        claim = self.ground.write(openings.open_or_claim, task.new)
        task.epoch += 1
        if regains and known.holder is None:
            known.holder = run.task
            if task.history_until < 0:
                task.history_until = len(known.entries)
        elif regains:
            known.line.append(run.task)
            task.place = claim.wait_id
            assert claim.wait_id not in task.told, "a turn that was had already"
        if known.holder == run.task:
            known.epoch = task.epoch
        assert claim.epoch == task.epoch
        assert (claim.holds, claim.wait_id) == (known.holder == run.task, task.place)
        assert claim.history_until == task.history_until
        assert claim.outcome == (task.ended[1] if task.ended else None)
        assert (claim.reserved.tokens if claim.reserved else 0) == task.reserved
        self._comes_late(Run(run.task, task.epoch - 1), late)
        return Run(run.task, task.epoch)

    def _comes_late(self, run: Run, does: str) -> None:
        name, at = self._on(run), self.ground.clock.at
        match does:
            case "append":
                said = [("result", {"text": "late"})]
                self._is_refused(tasks.append, name, run.task, run.epoch, said, at)
            case "finish":
                how = ("answered", {}, {"text": "late"}, "late")
                last = len(self._of(run)[1].entries)
                self._is_refused(tasks.finish, name, run.task, run.epoch, [], at, last, *how)
            case _ if TOKENS - self.tasks[run.task].spent - self.tasks[run.task].reserved >= 200:
                wanted = Wanted(100, 100, "model")
                chain = (run.task,)
                self._is_refused(reservations.reserve, "", run.task, run.epoch, chain, wanted)
            case _:
                pass

    @rule()
    def crash(self) -> None:
        self.ground.crash()

    # --- what runs write ---

    @rule(
        run=runs,
        who=WHO,
        count=st.integers(1, 3),
        after=st.sampled_from(["any", "last", "earlier"]),
    )
    def append(self, run: Run, who: str, count: int, after: str) -> None:
        run = self._who(run, who)
        _task, known = self._of(run)
        last = len(known.entries)
        new = [("result", {"text": next(self.count)}) for _ in range(count)]
        follows = {"any": None, "last": last, "earlier": last - 1}[after]
        write = (tasks.append, self._on(run), run.task, run.epoch, new, self.ground.clock.at)
        if not self._is_heard(run) or after == "earlier":
            self._is_refused(*write, after=follows)
            return
        assert self.ground.write(*write, after=follows) == last + 1
        self._written(known, run.task, new)

    @precondition(lambda self: self.steps > 5)
    @rule(
        run=runs,
        who=WHO,
        how=st.sampled_from(["answered", "failed"]),
        says=st.booleans(),
    )
    def finish(self, run: Run, who: str, how: str, says: bool) -> None:
        run = self._who(run, who)
        task, known = self._of(run)
        in_line = known.holder != run.task
        if in_line and not says and run.epoch == task.epoch and not task.ended and not task.place:
            return  # of a job that needs attention: no run of it ends it before it has begun again
        number = next(self.count)
        new = [("answer", {"text": number})] if says else []
        last = len(known.entries)
        write = (
            *(tasks.finish, self._on(run), run.task, run.epoch, new, self.ground.clock.at),
            *(last, how, {}, {"text": number}, f'{{"value":{number}}}'),
        )
        owns = run.epoch == task.epoch and task.ended is None and run.task not in self.stopped
        if not owns or (says and not self._is_heard(run)):
            self._is_refused(*write)
            return
        told = self.ground.write(*write)
        self._written(known, run.task, new)
        task.ended = (how, {"text": number})
        self._release(run.task, told)

    def _is_refused(self, *write: Any, **how: Any) -> None:
        with pytest.raises(StaleEpoch):
            self.ground.write(*write, **how)

    def _is_heard(self, run: Run) -> bool:
        _task, known = self._of(run)
        return (known.holder, known.epoch) == (run.task, run.epoch)

    def _written(self, known: Conversation, task: str, new: list[tuple[str, Any]]) -> None:
        for _kind, body in new:
            known.entries.append((len(known.entries) + 1, task, known.epoch, body))

    def _release(self, id: str, told: list[inbox.Delivery]) -> None:
        """A task gives up what it holds, and its place; the next one has its turn, and is told."""
        task = self.tasks[id]
        known = self.conversations[task.new.conversation_id]
        if task.place is not None:
            known.line.remove(id)
            task.place = None
        heard = []
        if known.holder == id:
            known.holder, known.epoch = None, 0
            if known.line:
                following = self.tasks[known.line.pop(0)]
                known.holder, known.epoch = following.new.id, following.epoch
                if following.history_until < 0:
                    following.history_until = len(known.entries)
                heard = [following.place]
                following.told += heard
                following.place = None
        assert [each.wait_id for each in told] == heard

    # --- money ---

    @rule(run=runs, who=WHO, output=st.sampled_from([100, 700]))
    def reserve(self, run: Run, who: str, output: int) -> None:
        """Before a model call, when the one before has come to something."""
        run = self._who(run, who)
        task, _known = self._of(run)
        if task.reserved or task.ended or run.task in self.stopped:
            return
        wanted = Wanted(100, output, "model")
        write = (reservations.reserve, "", run.task, run.epoch, (run.task,), wanted)
        room = TOKENS - task.spent - 100
        if room < reservations.LEAST_OUTPUT:
            assert isinstance(self.ground.write(*write), Refused)
        elif run.epoch != task.epoch:
            self._is_refused(*write)
        else:
            granted = self.ground.write(*write)
            assert isinstance(granted, Granted)
            task.reserved = 100 + min(output, room)
            assert granted.reservation.tokens == task.reserved

    @rule(run=runs, who=WHO, used=st.integers(0, 200))
    def spend(self, run: Run, who: str, used: int) -> None:
        """A model call has come to something, which is said with what it has used."""
        run = self._who(run, who)
        task, known = self._of(run)
        if not task.reserved:
            return
        used = min(used, task.reserved)
        new = [("said", {"text": next(self.count), "usage": {"input_tokens": used}})]
        spent = Spent((run.task,), tokens=used)
        write = (tasks.append, self._on(run), run.task, run.epoch, new, self.ground.clock.at)
        if not self._is_heard(run):
            self._is_refused(*write, spent=spent)
            return
        self.ground.write(*write, spent=spent)
        self._written(known, run.task, new)
        task.spent, task.reserved = task.spent + used, 0

    # --- people ---

    @precondition(lambda self: self.free and not self.paused)
    @rule()
    def pause_the_genie(self) -> None:
        self.ground.write(pauses.pause, self.project, "clerk", "ann", "")
        self.paused = True

    @precondition(lambda self: self.paused)
    @rule()
    def start_the_genie(self) -> None:
        self.ground.write(pauses.start, self.project, "clerk", "ann")
        self.paused = False

    @precondition(lambda self: self.steps % 4 == 0)
    @rule(run=runs)
    def stop_the_job_for_attention(self, run: Run) -> None:
        task, _known = self._of(run)
        if not task.ended and run.task not in self.stopped:
            told = self.ground.write(wanted.need_attention, task.new.job_id, "look")
            self._release(run.task, told)
            self.ground.write(wanted.go_on, task.new.job_id)

    @precondition(lambda self: self.steps > 8)
    @rule(run=runs)
    def cancel_the_job(self, run: Run) -> None:
        task, _known = self._of(run)
        if task.ended or run.task in self.stopped:
            return
        self.ground.write(cancelled.want_cancelled, task.new.job_id)
        ended = self.ground.write(endings.finish, task.new.job_id, "cancelled", "{}", None)
        self.stopped.add(run.task)
        self._release(run.task, ended.answered)
        # Nobody knows what became of the call under way: it stays charged as it was reserved.
        task.spent, task.reserved = task.spent + task.reserved, 0

    def _who(self, run: Run, who: str) -> Run:
        """In place of a run, one that its conversation listens to, or did just before."""
        _task, known = self._of(run)
        if who == "any" or known.holder is None:
            return run
        return Run(known.holder, max(1, known.epoch - (who == "before")))

    def _on(self, run: Run) -> str:
        return self.tasks[run.task].new.conversation_id

    def _of(self, run: Run) -> tuple[Task, Conversation]:
        task = self.tasks[run.task]
        return task, self.conversations[task.new.conversation_id]

    # --- at all times ---

    @invariant()
    def it_is_as_those_who_were_heard_have_left_it(self) -> None:
        self.steps += 1
        entry, place, call = schema.entries.c, schema.line.c, schema.calls.c
        talk, task, budget = schema.conversations.c, schema.tasks.c, schema.budgets.c
        ids = [each.new.job_id for each in self.tasks.values()]
        entries, held, line, found, recorded, budgets = self.ground.rows(
            sa.select(entry.conversation_id, entry.seq, entry.task_id, entry.epoch, entry.body)
            .where(entry.conversation_id.in_(self.conversations))
            .order_by(entry.conversation_id, entry.seq),
            sa.select(talk.id, talk.holder, talk.epoch).where(talk.project == self.project),
            sa.select(place.conversation_id, place.task_id)
            .where(place.conversation_id.in_(self.conversations))
            .order_by(place.id),
            sa.select(
                *(task.id, task.epoch, task.history_until, task.outcome),
                task.ended_at.is_not(None),
            ).where(task.id.in_(self.tasks)),
            sa.select(call.job_id, call.envelope).where(call.job_id.in_(ids)),
            sa.select(budget.id, budget.spent_tokens, budget.reserved_tokens).where(
                budget.id.in_(self.tasks)
            ),
        )
        self._entries_are_those_that_were_written_under_their_epochs(entries)
        self._one_holds_a_conversation_and_the_others_stand_in_line(held, line)
        self._a_task_ends_once_and_its_call_keeps_what_came_of_it(found, recorded)
        self._a_budget_holds_what_is_spent_and_what_is_reserved(budgets)

    def _entries_are_those_that_were_written_under_their_epochs(self, found: Rows) -> None:
        for name, known in self.conversations.items():
            assert [each[1:] for each in found if each[0] == name] == known.entries

    def _one_holds_a_conversation_and_the_others_stand_in_line(
        self, held: Rows, line: Rows
    ) -> None:
        assert {name: (holder, epoch) for name, holder, epoch in held} == {
            name: (known.holder, known.epoch) for name, known in self.conversations.items()
        }
        for name, known in self.conversations.items():
            assert [task for conversation, task in line if conversation == name] == known.line

    def _a_task_ends_once_and_its_call_keeps_what_came_of_it(
        self, found: Rows, calls: Rows
    ) -> None:
        assert {each[0]: each[1:] for each in found} == {
            id: (
                *(each.epoch, each.history_until, each.ended and each.ended[1]),
                each.ended is not None or id in self.stopped,
            )
            for id, each in self.tasks.items()
        }
        assert dict(calls) == {
            each.new.job_id: each.ended and f'{{"value":{each.ended[1]["text"]}}}'
            for each in self.tasks.values()
        }

    def _a_budget_holds_what_is_spent_and_what_is_reserved(self, found: Rows) -> None:
        assert sorted(found) == sorted(
            (id, each.spent, each.reserved) for id, each in self.tasks.items()
        )
        assert all(spent + reserved <= TOKENS for _, spent, reserved in found)


@pytest.mark.timeout(300)  # many examples
def test_one_run_of_a_task_is_heard_in_whatever_order_they_come(ground: Ground) -> None:
    ground.play(TaskMachine, tries(20, 30))
