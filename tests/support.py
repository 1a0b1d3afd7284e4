"""What the tests of the core share: an open project whose parks, deaths and answers a test decides.

Nothing happens by itself unless a test asks for it: jobs are not parked, the sweep does not hide
what went wrong, nothing is written in between, and no run is over because the machine was busy.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from tests.behind import place_at, tables

from lampwork import (
    Answer,
    App,
    Call,
    Calls,
    Genie,
    Price,
    Project,
    Settings,
    Turn,
    failpoint,
    playbook,
)
from lampwork import app as app_module
from lampwork.errors import JobNotFound
from lampwork.models import Ask, Playbook, Reply
from lampwork.models.ask import size
from lampwork.place import Server
from lampwork.runs.flow import EndReason, RunEnded
from lampwork.runs.run import Run
from lampwork.store import store as store_module
from lampwork.store.jobs import jobs
from lampwork.store.processes import executors
from lampwork.store.store import Store
from lampwork.worker import recovery

T = TypeVar("T")

NEVER = 3600.0
"""Seconds after which no test runs any more."""

DEADLINE = 60.0
"""Seconds within which whatever is waited for must be there."""


recovery._COUNT_EVERY = NEVER
# Nor is what a close writes given up: a job whose end is not there looks as if it executed.
app_module._PATIENCE = store_module._PATIENCE = DEADLINE


@asynccontextmanager
async def opened(project: Project, home: Path, **given: Any) -> AsyncIterator[App]:
    """The project, executing here; with `given` settings it parks or sweeps by itself."""
    never = dict.fromkeys(("park_after", "sweep_interval", "heartbeat"), NEVER)
    settings: dict[str, Any] = {**never, "grace": 0.5}
    db = os.environ.get("LAMPWORK_DB")
    async with project.open(settings=Settings(home=home, db=db, **(settings | given))) as app:
        await _looked_around(app)
        yield app


async def _looked_around(app: App) -> None:
    """Wait until it has seen to what it found: that late, it would be in the middle of a test."""
    recovering, *_ = app._regularly
    await eventually(lambda: recovering.done() or app.worker.alone, "it never recovered")
    if isinstance(app.store.place, Server):
        heard, database = threading.Event(), app.store._database
        database.watch(lambda _topics: heard.set())  # after those who were there before
        due = database._may_have_missed
        await eventually(lambda: heard.is_set() and not due.is_set(), "it does not listen")
        await inside(app, looked(app))


async def looked(app: App) -> None:
    """Wait, on the jobs' event loop, until a look at what others have told has ended."""
    if app._looking is not None:
        await app._looking


async def eventually(
    probe: Callable[[], Awaitable[T] | T], what: str = "", deadline: float = DEADLINE
) -> T:
    """The first truthy thing that the probe gives. Raises AssertionError after the deadline."""
    until = time.monotonic() + deadline
    while True:
        found: Any = probe()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < until, what or f"{probe} gave {found!r} for {deadline} s"
        await asyncio.sleep(0.005)


async def result(app: App, job_id: str, deadline: float = DEADLINE) -> Any:
    """What a job returned, within the deadline."""
    return await asyncio.wait_for(app.result(job_id), deadline)


async def row(app: App, job_id: str) -> Any:
    """A job's row."""
    return await app.store.read(jobs.get, job_id)


async def status(app: App, job_id: str, *expected: str) -> Any:
    """Wait until a job is there and shows one of these statuses; its row."""

    async def reached() -> Any:
        with suppress(JobNotFound):
            found = await row(app, job_id)
            return found if found.status in expected else None

    return await eventually(reached, f"job {job_id} never got {expected}")


async def rows(app: App, query: str | sa.Select[Any], **values: Any) -> list[tuple[Any, ...]]:
    """What a query of our tables gives."""
    statement = sa.text(query) if isinstance(query, str) else query
    return await app.store.read(
        lambda connection: [tuple(each) for each in connection.execute(statement, values)]
    )


async def rows_of(store: Store, statement: str) -> list[tuple[Any, ...]]:
    """What a query of a store gives."""
    return await store.read(
        lambda connection: [tuple(each) for each in connection.execute(sa.text(statement))]
    )


async def sql(app: App, statement: str, **values: Any) -> None:
    """Change our tables behind everyone's back."""
    await app.store.write(
        lambda connection: connection.execute(sa.text(statement), values) and None
    )


async def inside(app: App, coroutine: Coroutine[Any, Any, T]) -> T:
    """Do something on the jobs' event loop."""
    return await app._loop.call(coroutine)


def rests(run: Run) -> bool:
    """Whether a run only waits. On the jobs' event loop."""
    return not run.busy and bool(run.waiting_for) and not run.answered


async def idle(app: App, job_id: str) -> Run:
    """Wait until the job's run here only waits; the run."""

    async def found() -> Run | None:
        run = app.worker.runs.get(job_id)
        return run if run is not None and rests(run) else None

    # Asked on the jobs' loop, where none of it changes meanwhile.
    return await eventually(lambda: inside(app, found()), f"job {job_id} never came to wait")


async def park(app: App, job_id: str) -> None:
    """Wait until the job only waits, then park it; anew, if it has gone on between the two."""

    async def parked() -> Run | None:
        run = await idle(app, job_id)
        await inside(app, app.worker.parking.park(run))
        return run if run.ended else None

    run = await eventually(parked, f"job {job_id} was never parked")
    await eventually(lambda: run.main is not None and run.main.done(), "the parked run lives on")
    assert (await row(app, job_id)).want == "parked"


async def take_over(app: App, job_id: str) -> Run:
    """Let another run own the job, as another process does; the older one, which has not heard.

    It is not known here any more, so nobody ends it: it finds out by itself.
    """
    zombie = await eventually(lambda: app.worker.runs.get(job_id))

    async def forget() -> None:
        del app.worker.runs[job_id]
        await requeue(app, job_id)

    async def led_anew() -> bool:  # it may have ended since
        return (await row(app, job_id)).run > zombie.leading.run

    await inside(app, forget())
    await eventually(led_anew, f"nobody took over job {job_id}")
    return zombie


async def requeue(app: App, job_id: str) -> None:
    """Let the engine hand a job out anew, whoever runs it. On the jobs' event loop."""
    # Locked, or who looks after what others have told wakes it in between.
    async with app.worker.lock(job_id):
        await app.worker.engine.cancel(job_id)
        await app.worker.engine.restart(job_id)


async def end_run(app: App, job_id: str, reason: EndReason = "infrastructure") -> None:
    """Let the job's run here die, as a lost database would; it is taken up again at once."""
    run = app.worker.runs.get(job_id)
    if run is None:
        return

    async def end() -> None:
        run.end(reason)

    await inside(app, end())


def dying(app: App, job_id: str | None = None) -> Callable[[], None]:
    """What a failpoint does to let a run end right there, before anything more is recorded.

    Without a job's id, the only run.
    """

    def die() -> None:
        run = app.worker.runs[job_id] if job_id else next(iter(app.worker.runs.values()))
        run.end("infrastructure")
        raise RunEnded(run.job_id, "infrastructure")

    return die


async def drained(app: App) -> None:
    """Wait until everything that was submitted to the database is there."""
    await app.store.write(lambda _connection: None)


def crash(home: Path, before: dict[str, int] | None = None) -> None:
    """Make a closed place look as if its process had crashed: what executed was executing.

    `before` is how often these jobs had been crashed before.
    """
    crashes = sa.text("update jobs set crashes = :crashes where id = :id")
    place = place_at(home)
    with tables(place) as connection:
        connection.execute(sa.text("update executors set closed_at = null"))
        for job_id, count in (before or {}).items():
            connection.execute(crashes, {"crashes": count, "id": job_id})
    if isinstance(place, Server):  # in a folder the next process knows that it is gone
        _bury_all(place)


def _bury_all(place: Server) -> None:
    """Let all processes that have executed be found gone."""

    def bury(connection: sa.Connection) -> None:
        found = executors.others(connection, "nobody")
        executors.bury(connection, {each: beats for each, (beats, _) in found.items()})

    store = Store(place)
    try:
        store.submit(bury).result()
    finally:
        store.close()


@contextmanager
def armed(name: str, action: Callable[[], None]) -> Iterator[None]:
    """A failpoint, armed for a while."""
    failpoint.arm(name, action)
    try:
        yield
    finally:
        failpoint.disarm(name)


@contextmanager
def refused(rows: ModuleType, change: str) -> Iterator[None]:
    """The first commit that has this change in it, `refused(calls, "finish")`, is refused.

    The writer commits for whoever else works in the process, too: their commits pass.
    """
    make, writers, done = getattr(rows, change), set[int](), False

    @wraps(make)
    def applied(*given: Any, **named: Any) -> Any:
        writers.add(threading.get_ident())
        return make(*given, **named)

    def refuse() -> None:
        nonlocal done
        if not done and threading.get_ident() in writers:
            done = True
            away()

    with pytest.MonkeyPatch.context() as patched, armed("store.before_commit", refuse):
        patched.setattr(rows, change, applied)
        yield
        assert done, f"nothing committed {change}"


def away() -> None:
    """What the database says when it can't be reached."""
    raise sa.exc.OperationalError("commit", {}, sqlite3.OperationalError("database is locked"))


def clerk(project: Project, *skills: Any, name: str = "clerk") -> Genie:
    """A genie that calls its skills, all at once and without arguments, and answers `done`."""

    @playbook
    def call_all(turn: Turn) -> Calls | Answer:
        if turn.results or not skills:
            return Answer("done")
        return Calls(*[Call(skill) for skill in skills])

    return project.genie(name, model=call_all, job_description="You help.", skills=skills)


class Gate:
    """Holds whoever comes first, on the jobs' event loop, until it is opened; others pass."""

    def __init__(self) -> None:
        self.passed = 0
        self.opened = False
        self._opened: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def hold_first(self) -> None:
        if first := self._opened is None:
            self._opened, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self.passed += 1  # now: a test that has seen it may open
        if first:
            await self._opened.wait()

    def open(self) -> None:
        assert self._loop is not None
        assert self._opened is not None
        self.opened = True
        self._loop.call_soon_threadsafe(self._opened.set)


def once(action: Callable[[], None]) -> Callable[[], None]:
    """An action that happens at the first hit only."""
    done = False

    def act() -> None:
        nonlocal done
        if not done:
            done = True
            action()

    return act


@dataclass(frozen=True, eq=False)
class Metered(Playbook):
    """A playbook that costs as a model does: all that it may use, or what it is told to."""

    used: tuple[int, int] | None = None
    """Tokens of input and output of each reply."""
    rates: Price | None = field(default_factory=lambda: Price(input=1, output=5))
    longest: int | None = None

    @property
    def uses_tokens(self) -> bool:
        return True

    @property
    def max_output_tokens(self) -> int | None:
        return self.longest

    def price(self, input_tokens: int | None = None) -> Price | None:
        return self.rates

    async def respond(self, ask: Ask) -> Reply:
        reply = await super().respond(ask)
        longest = min(each for each in (ask.max_output_tokens, self.longest, 16_384) if each)
        came, went = self.used or (size(ask), longest)
        usage = {"requests": 1, "input_tokens": came, "output_tokens": min(went, longest)}
        usage |= {"cost_nanodollars": self.rates.cost(came, usage["output_tokens"])}
        return replace(reply, usage=usage, truncated=went > longest)
