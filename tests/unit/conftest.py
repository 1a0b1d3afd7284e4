"""A desk: a real store, and runs whose ownership, waits and children a test can play with."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from lampwork import Metadata, SkillCall, values
from lampwork.counters import Work
from lampwork.genies.cast import Cast
from lampwork.genies.genie import Genie
from lampwork.models import resolve
from lampwork.place import Folder
from lampwork.project import Project
from lampwork.runs.flow import RunEnded
from lampwork.runs.line import Lines
from lampwork.runs.wait import Answer, Wait
from lampwork.settings import ReadingCaps
from lampwork.store import schema
from lampwork.store.jobs import inbox, new_jobs
from lampwork.store.jobs.calls import Beginning, Leading
from lampwork.store.jobs.new_jobs import NewJob
from lampwork.store.store import Store
from lampwork.store.tasks.lineage import Lineage
from lampwork.tasks.answer import TaskAnswer
from lampwork.tasks.assignment import Assignment, check_assignment
from lampwork.tasks.texts import Texts
from lampwork.tasks.under_way import CallsUnderWay
from lampwork.tasks.work import work
from lampwork.types import task_id

from .clerk import Effects


class DeskRun:
    """What a task sees of its run."""

    def __init__(self, desk: Desk, job_id: str) -> None:
        self.desk = desk
        self.store, self.project, self.job_id = desk.store, desk.project, job_id
        self.cast = Cast()
        self.worker = SimpleNamespace(
            settings=SimpleNamespace(reading=ReadingCaps()),
            deliver=desk.deliver,
            texts=Texts(),
            calls_under_way=CallsUnderWay(),
            counters=Work(),
            telemetry=None,
        )
        self.proofs = 0
        self.lines = Lines()
        self.places: dict[str, Any] = {}
        self.restoration = None
        self.lineage = Lineage()
        self.row = SimpleNamespace(root_id=job_id)

    def effect_key(self, call: int, skill_call: str) -> str:
        return f"{task_id(self.job_id, call)}.{skill_call}"

    async def prove(self) -> None:
        self.proofs += 1
        self.check()

    def check(self) -> None:
        if self.desk.owner[self.job_id] is not self:
            raise RunEnded(self.job_id, "deposed")

    @contextmanager
    def paused(self) -> Iterator[None]:
        yield

    @contextmanager
    def handed_over(self, _branches: Sequence[asyncio.Task[Any]]) -> Iterator[None]:
        yield

    @contextmanager
    def above(self, _id: str) -> Iterator[None]:
        yield

    def begun_at(self, _call: int) -> float:
        return time.time()

    async def until(self, wait: Wait) -> Answer:
        self.check()
        answer, _due = await self.store.write(inbox.open_wait, wait)
        if answer is None:
            future = self.desk.waits[wait.id] = asyncio.get_running_loop().create_future()
            await self.desk.opened.put(wait)
            answer = await future
        self.check()
        return answer

    async def child(
        self, *, job_id: str, call: int, callable: str, input: Any, task_id: str | None, due_at: Any
    ) -> values.Outcome:
        self.check()
        self.desk.children.append((job_id, call, callable, input))
        return await self.desk.child(callable, input)


class Desk:
    """One project, one store, and the tasks that a test assigns."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.project = Project("finance")
        self.owner: dict[str, DeskRun] = {}
        self.waits: dict[str, asyncio.Future[Answer]] = {}
        self.opened: asyncio.Queue[Wait] = asyncio.Queue()
        self.children: list[tuple[str, int, str, Any]] = []
        self.child: Callable[[str, Any], Awaitable[values.Outcome]]

    def run(self, job_id: str = "j1") -> DeskRun:
        """A run that owns its job; whoever had it is deposed."""
        self.owner[job_id] = run = DeskRun(self, job_id)
        return run

    async def assign(
        self,
        genie: Genie,
        instructions: str = "Decide.",
        *,
        job: str = "j1",
        call: int = 1,
        run: DeskRun | None = None,
        **inputs: Any,
    ) -> TaskAnswer[Any]:
        """Do a task, as `job.assign_task` would."""
        assignment = check_assignment(self.project, Assignment(genie, instructions, **inputs))
        resolve(genie.model).check()
        row = NewJob(job, self.project.name, "recipe", "v", {}, {}, job)
        await self.store.write(new_jobs.create, [row])
        begins = Beginning(Leading(job, 0), call, "task", genie.name, "")
        recorded = await work(run or self.run(job), assignment, begins)  # type: ignore[arg-type]
        envelope = values.read(await self.store.unfold(recorded.envelope))
        return TaskAnswer.from_json(json.loads(values.text_of(envelope)), assignment.output)

    async def answer(self, wait_id: str, value: Any) -> None:
        """Answer a wait as a person would."""

        def settle(connection: sa.Connection) -> list[inbox.Delivery]:
            return inbox.settle(connection, wait_id, "j1", value, "user ann")

        self.deliver(await self.store.write(settle))

    def deliver(self, deliveries: list[inbox.Delivery]) -> None:
        for delivery in deliveries:
            future = self.waits.get(delivery.wait_id)
            if future is not None and not future.done():
                future.set_result(delivery.answer)

    async def next_wait(self) -> Wait:
        """The next wait that somebody opens."""
        return await asyncio.wait_for(self.opened.get(), 60)

    async def entries(self, conversation: str = "c1.1") -> list[tuple[str, dict[str, Any]]]:
        """Kind and body of every entry, in order."""

        def query(connection: sa.Connection) -> list[tuple[str, dict[str, Any]]]:
            table = schema.entries
            rows = connection.execute(
                sa.select(table)
                .where(table.c.conversation_id == conversation)
                .order_by(table.c.seq)
            )
            return [(row.kind, row.body) for row in rows]

        return await self.store.read(query)

    async def kinds(self, conversation: str = "c1.1") -> list[str]:
        """The kinds of the entries, in order."""
        return [kind for kind, _ in await self.entries(conversation)]

    async def row(self, table: sa.Table, id: str) -> Any:
        """One row by its id."""
        return await self.store.read(
            lambda connection: connection.execute(sa.select(table).where(table.c.id == id)).one()
        )

    async def sql(self, statement: str, **values: Any) -> None:
        """Change the database behind everyone's back."""
        await self.store.write(
            lambda connection: connection.execute(sa.text(statement), values) and None
        )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = Store(Folder(tmp_path))
    yield Desk(store)
    store.close()


@pytest.fixture
def effects() -> Effects:
    return Effects()


@pytest.fixture
def skills(desk, effects):
    @desk.project.skill(effect="read")
    async def look_up(order: str) -> dict[str, int]:
        """Look an order up."""
        effects.acts.append(("look_up", order))
        return {"amount": 100}

    @desk.project.skill(effect="idempotent")
    async def approve(note: str, invoice_id: Metadata[str], call: SkillCall) -> str:
        """Approve the invoice."""
        effects.acts.append(("approve", call.idempotency_key))
        return f"approved {invoice_id}: {note}"

    @desk.project.skill()
    def pay(amount: int, call: SkillCall) -> str:
        """Pay the invoice."""
        effects.acts.append(("pay", call.idempotency_key))
        return f"paid {amount}"

    return [look_up, approve, pay]


@pytest.fixture
def lost_pay(desk, effects):
    """A skill that pays, and then fails without saying so."""

    @desk.project.skill()
    async def pay(amount: int, call: SkillCall) -> str:
        """Pay."""
        effects.acts.append(("pay", call.idempotency_key))
        if len(effects.of("pay")) == 1:
            raise ConnectionError("no reply")
        return "paid"

    return pay
