"""A job, by its machine: parked, woken, doubled, crashed, cancelled and copied in any order.

Its recipe does a step, waits for an event, gives a genie a task, does a step and waits for another
event. What it comes to depends on nothing but the events, in the order in which they came.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
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
    run_state_machine_as_test,
)
from tests.machines.ground import Still, place_of, tries
from tests.support import end_run, eventually, inside, opened, park, take_over

from lampwork import App, Job, Project, clock
from lampwork.errors import Conflict, JobEnded, WaitTimedOut
from lampwork.place import Server
from lampwork.store import schema
from lampwork.store.store import Store
from lampwork.worker import execution

from tests.support import clerk  # isort: skip

TIMEOUT = 50.0
FAILS = 0
"""The word upon which the recipe raises."""

project = Project("machine")
desk = clerk(project)
effects: Counter[tuple[str, str]] = Counter()


def act(job_id: str, name: str) -> str:
    effects[job_id, name] += 1
    return name


@project.recipe()
async def errand(job: Job) -> list[Any]:
    begun = await job.step(act, job.id, "begin")
    try:
        go: Any = await job.wait_for("go", int, timeout=TIMEOUT)
    except WaitTimedOut:
        go = "late"
    task = await job.assign_task(desk, f"go {go}", when_paused="wait")
    acted = await job.step(act, job.id, "act")
    stop = await job.wait_for("stop", int)
    if stop == FAILS:
        raise ValueError("that word")
    return [begun, go, task.response, acted, stop]


STAGES = {"go": 2, "genie": 3, "stop": 5}
"""The numbers of the calls at which it waits."""


@dataclass
class Known:
    """What the machine knows of a job."""

    id: str
    due_at: float
    stage: str = "go"
    parked: bool = False
    stopped: bool = False
    """For attention."""
    doubled: bool = False
    """Another run had owned it at some time, so that what was under way may have happened twice."""
    sent: dict[str, list[int]] = field(default_factory=lambda: {"go": [], "stop": []})
    go: Any = None
    stop: int | None = None
    status: str | None = None
    """Once it has ended."""
    made: frozenset[str] = frozenset({"begin"})
    """What it did itself, and not the job that it is a copy of."""

    @property
    def live(self) -> bool:
        return self.status is None and not self.parked and not self.stopped


class Grounds:
    """The project, open as long as no rule crashes it, and the loop on which it is used."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.place = place_of(home)
        self.clock = Still()
        self.runner = asyncio.Runner()
        self.example = 0
        self._open = AsyncExitStack()
        self.app: App

    async def open(self) -> None:
        self.app = await self._open.enter_async_context(opened(project, self.home))

    async def close(self) -> None:
        await self._open.aclose()


class JobMachine(RuleBasedStateMachine):
    """A few jobs, and the process that executes them."""

    jobs = Bundle("jobs")

    def __init__(self, grounds: Grounds) -> None:
        super().__init__()
        self.grounds = grounds
        self.known: dict[str, Known] = {}
        self.paused = False
        self.records: dict[Any, Any] = {}
        """All that was ever seen on record and must not change."""

    def do(self, coroutine: Any) -> Any:
        return self.grounds.runner.run(coroutine)

    @property
    def app(self) -> App:
        return self.grounds.app

    @initialize(target=jobs)
    def accept_the_first(self) -> str:
        return self.accept()

    @precondition(lambda self: len(self.known) < 4)
    @rule(target=jobs)
    def accept(self) -> str:
        job_id = str(self.do(self.app.start(errand)))
        self.known[job_id] = Known(job_id, self.grounds.clock.at + TIMEOUT)
        self._settle()
        return job_id

    # --- from outside ---

    @rule(job=jobs, name=st.sampled_from(["go", "go", "stop"]), value=st.integers(FAILS, 9))
    def send(self, job: str, name: str, value: int) -> None:
        known = self.known[job]
        if known.status:
            with pytest.raises(JobEnded):
                self.do(self.app.send_event(job, name, value))
            return
        known.sent[name].append(value)
        self.do(self.app.send_event(job, name, value))
        if not known.stopped:
            self._go_on(known)

    @rule(seconds=st.sampled_from([1.0, TIMEOUT]))
    def let_time_pass(self, seconds: float) -> None:
        self.grounds.clock.at += seconds
        for each in self.known.values():
            waits = each.stage == "go" and not each.status and not each.sent["go"]
            if waits and each.go is None and each.due_at <= self.grounds.clock.at:
                each.go = "late"
                if not each.stopped:
                    self._go_on(each)
        self.do(inside(self.app, self.app.worker.expiry.look()))

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        known = self.known[job]
        if known.status:
            with pytest.raises(JobEnded):
                self.do(self.app.cancel(job))
            return
        self.do(self.app.cancel(job))
        known.status, known.parked, known.stopped = "cancelled", False, False

    @rule(pause=st.booleans())
    def pause_or_start_the_genie(self, pause: bool) -> None:
        if pause:
            self.do(self.app.pause_genie(desk, by="ann"))
        else:
            self.do(self.app.start_genie(desk, by="ann"))
        self.paused = pause
        for each in self.known.values():
            if each.stage == "genie" and not each.status and not each.stopped:
                self._go_on(each)

    def _go_on(self, known: Known) -> None:
        """What comes of what has come, for the job and its run."""
        before = known.stage
        if known.stage == "go" and (known.go is not None or known.sent["go"]):
            known.go = known.sent["go"].pop(0) if known.go is None else known.go
            known.stage = "genie"
        if known.stage == "genie" and not self.paused:
            known.stage, known.made = "stop", known.made | {"act"}
        if known.stage == "stop" and known.sent["stop"]:
            known.stop = known.sent["stop"].pop(0)
            known.status = "failed" if known.stop == FAILS else "succeeded"
        if known.stage != before or known.status:
            known.parked = False

    # --- in the process ---

    @rule(job=jobs)
    def park(self, job: str) -> None:
        if self.known[job].live:
            self.do(park(self.app, job))
            self.known[job].parked = True

    @rule(job=jobs)
    def let_the_run_die(self, job: str) -> None:
        if self.known[job].live:
            self.do(end_run(self.app, job))

    @rule(job=jobs)
    def take_over(self, job: str) -> None:
        """Another run owns the job; the one before has not heard of it."""
        if self.known[job].live:
            self.do(take_over(self.app, job))
            self.known[job].doubled = True

    @rule(job=jobs, before=st.sampled_from([None, 0, 1, 4]))
    def crash(self, job: str, before: int | None) -> None:
        """The process dies, with none executing, or this job after so many crashes before.

        On a server another worker must see for a while that it is dead, which is for other tests:
        there the process goes in peace.
        """
        known = self.known[job]
        if isinstance(self.grounds.place, Server):
            self.do(self._crash(None, None))
            return
        self.do(self._crash(known if known.live and before is not None else None, before))
        if known.live and before == 4:
            known.stopped = True

    async def _crash(self, executing: Known | None, before: int | None) -> None:
        await self.grounds.close()
        if isinstance(self.grounds.place, Server):
            await self.grounds.open()
            return
        store = Store(self.grounds.place)
        row = schema.jobs.c
        changes = [sa.update(schema.executors).values(closed_at=None)]
        if executing is not None:
            mine = sa.update(schema.jobs).where(row.id == executing.id)
            changes.append(mine.values(status="running", crashes=before))
        for change in changes:
            await store.write(lambda connection, change=change: connection.execute(change) and None)
        store.close()
        await self.grounds.open()

    @rule(job=jobs)
    def go_on(self, job: str) -> None:
        known = self.known[job]
        if not known.stopped:
            with pytest.raises(Conflict):
                self.do(self.app.go_on(job))
            return
        self.do(self.app.go_on(job))
        known.stopped = False
        self._go_on(known)

    # --- copies ---

    @precondition(lambda self: len(self.known) < 6)
    @rule(target=jobs, job=jobs, at=st.sampled_from([1, 3, 5]))
    def fork(self, job: str, at: int) -> Any:
        known = self.known[job]
        reached = 6 if known.status in ("succeeded", "failed") else STAGES[known.stage]
        if known.status is None or at > reached:
            return multiple()
        fork = str(self.do(self.app.fork(job, at=at)))
        copy = Known(fork, self.grounds.clock.at + TIMEOUT)
        copy.sent = {name: [*values] for name, values in known.sent.items()}  # and not used
        if at > 1:
            copy.go, copy.stage, copy.made = known.go, "genie", frozenset()
        if at == 5:
            copy.stage = "stop"
        self.known[fork] = copy
        self._go_on(copy)
        return fork

    # --- at all times ---

    @invariant()
    def all_is_as_it_is_meant_to_be(self) -> None:
        self._settle()
        self._nothing_on_record_has_changed()
        for each in self.known.values():
            self._effects_are_those_of_its_calls(each)

    def _settle(self) -> None:
        """What is meant to happen happens, within the deadline; the process then only waits."""

        async def as_meant() -> bool:
            return all([await self._is_as_meant(each) for each in self.known.values()])

        async def stands() -> dict[str, Any]:
            return {each: await self._row(each) for each in self.known}

        try:
            self.do(eventually(as_meant))
        except AssertionError:
            raise AssertionError(f"{self.do(stands())} is not {self.known}") from None

    async def _is_as_meant(self, known: Known) -> bool:
        want, status, crashes = await self._row(known.id)
        run = self.app.worker.runs.get(known.id)
        engine = await inside(self.app, self.app.worker.engine.status(known.id))
        if known.status:
            ends = {"cancelled": ("cancelled",)}.get(known.status, ("success", "cancelled"))
            return (status, run) == (known.status, None) and engine in (*ends, "none")
        if known.stopped:
            return (want, status, run, engine) == (
                "attention",
                "needs_attention",
                None,
                "cancelled",
            )
        if known.parked:
            return (want, status, run, engine) == ("parked", "suspended", None, "cancelled")
        stands = run is not None and not run.busy and not run.ended
        waits = [each.call for each in run.waiting_for.values()] if run is not None else []
        return stands and (want, status, crashes, engine, waits) == (
            *("run", "suspended", 0, "pending"),
            [STAGES[known.stage]],
        )

    async def _row(self, job_id: str) -> tuple[str, str, int]:
        row = schema.jobs.c
        query = sa.select(row.want, row.status, row.crashes).where(row.id == job_id)
        return await self.app.store.read(lambda c: tuple(c.execute(query).one()))

    def _nothing_on_record_has_changed(self) -> None:
        """Ends of jobs and of tasks, finished calls, answers of waits, entries of conversations."""
        found = self.do(self._records())
        for each, before in self.records.items():
            assert found.get(each) == before, each
        self.records = found
        epochs: dict[str, int] = {}
        for (kind, *where), (epoch, *_rest) in sorted(
            each for each in found.items() if each[0][0] == "entry"
        ):
            assert kind == "entry"
            assert epoch >= epochs.get(where[0], 0), "an entry under an old epoch"
            epochs[where[0]] = epoch

    async def _records(self) -> dict[Any, Any]:
        ids = list(self.known)
        job, call, wait, entry = (
            each.c for each in (schema.jobs, schema.calls, schema.waits, schema.entries)
        )
        inbox, talks = schema.inbox.c, [f"c{id[1:]}.3" for id in ids]
        queries = {
            "end": sa.select(job.id, job.status, job.outcome, job.ended_at).where(
                job.id.in_(ids), job.ended_at.is_not(None)
            ),
            "answer": sa.select(inbox.wait_id, inbox.kind, inbox.value, inbox.source)
            .join(schema.waits, wait.id == inbox.wait_id)
            .where(wait.job_id.in_(ids)),
            "call": sa.select(call.job_id, call.number, call.envelope, call.ended_at).where(
                call.job_id.in_(ids), call.envelope.is_not(None)
            ),
            "entry": sa.select(
                entry.conversation_id, entry.seq, entry.epoch, entry.kind, entry.body
            ).where(entry.conversation_id.in_(talks)),
        }
        keys = {"call": 2, "entry": 2}
        found: dict[Any, Any] = {}
        for kind, query in queries.items():
            rows = await self.app.store.read(lambda c, query=query: c.execute(query).all())
            for row in rows:
                count = keys.get(kind, 1)
                found[kind, *row[:count]] = tuple(row[count:])
        return found

    def _effects_are_those_of_its_calls(self, known: Known) -> None:
        for name in ("begin", "act"):
            count, made = effects[known.id, name], name in known.made
            assert count == made or (made and known.doubled and count > 0), (known, name, count)

    @invariant()
    def what_it_comes_to_depends_on_its_events_alone(self) -> None:
        for each in self.known.values():
            if each.status == "succeeded":
                came = self.do(asyncio.wait_for(self.app.result(each.id), 60))
                assert came == ["begin", each.go, "done", "act", each.stop]

    def teardown(self) -> None:
        """Nothing of an example is left for the next one."""
        for each in self.known.values():
            if each.status is None:
                self.do(self.app.cancel(each.id))
                each.status, each.parked, each.stopped = "cancelled", False, False
        self._settle()
        self.do(self.app.start_genie(desk, by="ann"))  # only now: or some would go on, and may end


@pytest.fixture
def grounds(place: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Grounds]:
    monkeypatch.setattr(execution, "_BACKOFF", 0.02)
    effects.clear()
    grounds = Grounds(tmp_path / "home")
    with clock.using(grounds.clock), grounds.runner:
        grounds.runner.run(grounds.open())
        yield grounds
        grounds.runner.run(grounds.close())


@pytest.mark.timeout(300)  # many examples
def test_a_job_comes_to_the_same_in_whatever_order_things_happen(grounds: Grounds) -> None:
    run_state_machine_as_test(lambda: JobMachine(grounds), settings=tries(8, 15))
