"""A recipe gets the same value live and replayed, whatever its type and its size."""

from __future__ import annotations

import sys
import typing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel
from tests.behind import place_at, tables
from tests.support import eventually, opened, park, result, rows
from typing_extensions import TypedDict

from lampwork import Answer, Job, Turn, playbook
from lampwork.errors import ResultNotRecordable, StepFailed
from lampwork.place import Place

made: list[str] = []
seen: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_made() -> None:
    made.clear()
    seen.clear()


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    item: str
    price: Decimal


class Order(BaseModel):
    at: datetime
    lines: list[Line]
    colour: Colour | None = None


@dataclass
class Point:
    x: int
    y: tuple[float, float]


@dataclass
class Shape:
    name: str
    corners: dict[str, Point]


class Total(TypedDict):
    sum: Decimal
    days: set[date]


MOMENT = datetime(2026, 11, 20, 9, 30, 0, 123456, tzinfo=UTC)

CASES: list[tuple[Any, Any]] = [
    (Order, Order(at=MOMENT, lines=[Line(item="é\u2028", price=Decimal("0.10"))])),
    (Shape, Shape("box", {"a": Point(1, (0.1, -0.0))})),
    (Total, {"sum": Decimal("1E+3"), "days": {date(2026, 1, 1), date(2025, 1, 1)}}),
    (datetime, MOMENT),
    (timedelta, timedelta(days=3, microseconds=7)),
    (Decimal, Decimal("3.1400")),
    (tuple[int, str, Decimal], (1, "a", Decimal("0"))),
    (set[tuple[int, int]], {(1, 2), (3, 4)}),
    (frozenset[str], frozenset({"a", "b"})),
    (Colour, Colour.RED),
    (dict[int, Colour], {7: Colour.RED}),
    (dict[str, list[Order | Point | None]], {"a": [Point(1, (1.0, 2.0)), None]}),
    (UUID, UUID(int=7)),
    (bytes, b"plain"),
    (None, None),
    (list[Any], [1, 1.5, "x", None, {"a": [True]}]),
]


def _makes(annotation: Any, value: Any):
    def make():
        made.append("made")
        return value

    make.__annotations__["return"] = annotation
    return make


async def test_values_of_all_kinds_are_the_same_live_and_replayed(project, home):
    """ "A recipe always gets the value decoded from the recorded bytes, on the first run too, typed
    by the function's return annotation." """

    @project.recipe()
    async def maker(job: Job) -> str:
        seen.append([await job.step(_makes(annotation, value)) for annotation, value in CASES])
        await job.wait_for("go")
        return "done"

    async with opened(project, home) as app:
        job_id = (await app.start(maker)).job_id
        await park(app, job_id)
        await app.send_event(job_id, "go")
        assert await result(app, job_id) == "done"
    live, replayed = seen
    given = [value for _, value in CASES]
    assert live == replayed == given
    assert [type(each) for each in live] == [type(each) for each in given]
    assert [repr(each) for each in live] == [repr(each) for each in replayed]
    assert len(made) == len(CASES)


async def test_a_value_is_decoded_already_on_the_first_run(project, home):
    """A subclass is recorded as its annotation says, so the live run must not see more of it."""

    class Special(Line):
        secret: str = "x"

    @project.recipe()
    async def maker(job: Job) -> str:
        return type(await job.step(_makes(Line, Special(item="a", price=Decimal(1))))).__name__

    async with opened(project, home) as app:
        assert await app.run(maker) == "Line"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes it there")
async def test_a_type_that_pydantic_refuses_is_refused_as_a_result(project, home):
    """`typing.TypedDict` before Python 3.12: it is refused as any other result
    that can't be recorded, not as a failure of the step's own."""

    class Old(typing.TypedDict):
        sum: int

    @project.recipe()
    async def maker(job: Job) -> str:
        try:
            await job.step(_makes(Old, {"sum": 1}))
        except ResultNotRecordable as error:
            return error.code
        return "recorded"

    async with opened(project, home) as app:
        assert await app.run(maker) == "result_not_recordable"


async def test_what_a_step_changes_after_it_returned_is_seen_neither_live_nor_replayed(
    project, home
):
    """The step keeps its list and adds to it; the recipe has the recorded one from the start."""
    kept: list[int] = []

    def fetch() -> list[int]:
        return kept

    @project.recipe()
    async def reader(job: Job) -> list[int]:
        given = await job.step(fetch)
        kept.append(1)
        await job.wait_for("go")
        return given

    async with opened(project, home) as app:
        job_id = (await app.start(reader)).job_id
        await park(app, job_id)
        await app.send_event(job_id, "go")
        assert await result(app, job_id) == []


@pytest.mark.parametrize("size", [1, 300_000, 5_000_000], ids=["1 B", "300 KB", "5 MB"])
async def test_a_result_of_any_size_is_the_same_and_the_rows_stay_small(project, home, size):
    """ "256 KiB per value, larger ones in the content-addressed blob store by reference." Of a
    step, of a child, of a map's item and of the job itself, live and replayed."""

    def make() -> str:
        made.append("made")
        return "x" * size

    @project.recipe()
    async def item(job: Job, n: int) -> str:
        return await job.step(make)

    @project.recipe()
    async def maker(job: Job) -> str:
        first = await job.step(make)
        second = await job.call(item, 1)
        third = await job.map(item, [1, 2])
        seen.append([len(each) for each in (first, second, *third)])
        await job.wait_for("go")
        return first

    async with opened(project, home) as app:
        job_id = (await app.start(maker)).job_id
        await eventually(lambda: seen)
        await park(app, job_id)
        await app.send_event(job_id, "go")
        assert len(await result(app, job_id)) == size
        assert seen == [[size] * 4] * 2
        assert len(made) == 4
        assert await rows(app, "select max(length(outcome)) < 300000 from jobs") == [(1,)]
        stored = "select count(*), coalesce(sum(length(content)), 0) from blobs"
        ((count, total),) = await rows(app, stored)
        assert (count == 0) if size == 1 else (count <= 2 and total < 2.1 * 2 * size + 1000)
    assert room_of_tables(place_at(home), "dbos") < 2_000_000


def room_of_tables(place: Place, of: Literal["lampwork", "dbos"]) -> int:
    """Bytes of the tables of ours or of the engine."""
    page_count = "select page_count * page_size from pragma_page_count, pragma_page_size"
    sizes = "select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = "
    with tables(place, of) as connection:
        query = (
            page_count if connection.dialect.name == "sqlite" else f"{sizes} '{of}'::regnamespace"
        )
        return connection.exec_driver_sql(query).scalar_one()


async def test_what_a_task_has_answered_at_length_is_kept_once(project, home):
    """By its call, by the job that carries it and by the engine: all name one blob."""

    @playbook
    def teller(turn: Turn) -> Answer:
        return Answer("x" * 20_000)

    genie = project.genie("teller", model=teller, job_description="You tell at length.")
    async with opened(project, home) as app:
        assert len((await app.assign_task(genie, "Tell.")).response) == 20_000
        ((call, job),) = await rows(app, "select envelope, outcome from calls, jobs")
        assert await rows(app, "select 'blob:' || digest from blobs") == [(call,)]
        assert call == job


async def test_a_result_of_more_than_64_mb_is_refused_clearly(project, home):
    """ "Results of 1 B to 60 MB: stored as blob or refused clearly; the tables stay small." """

    def make() -> str:
        return "x" * (64 * 1024 * 1024 + 1)

    @project.recipe()
    async def maker(job: Job) -> str:
        try:
            await job.step(make)
        except ResultNotRecordable as error:
            return error.message
        return "recorded"

    async with opened(project, home) as app:
        before = room_of_tables(place_at(home), "lampwork")
        assert "is the most. Store it and pass its name" in await app.run(maker)
    assert room_of_tables(place_at(home), "lampwork") < before + 300_000


async def test_an_error_of_a_step_is_the_same_live_and_replayed(project, home):
    """ "A step that raises surfaces as `StepFailed(error_type, message, details)`, live and
    replayed alike", also when what it says can't be stored as it is."""

    class OutOfStock(Exception):
        pass

    def order() -> None:
        made.append("made")
        raise OutOfStock("no \udcff more")

    @project.recipe()
    async def buyer(job: Job) -> str:
        try:
            await job.step(order)
        except StepFailed as error:
            seen.append((str(error), error.error_type, error.details, error.call))
        await job.wait_for("go")
        return "done"

    async with opened(project, home) as app:
        job_id = (await app.start(buyer)).job_id
        await park(app, job_id)
        await app.send_event(job_id, "go")
        assert await result(app, job_id) == "done"
    assert seen[0] == seen[1]
    assert seen[0][1].endswith("OutOfStock")
    assert made == ["made"]


async def test_half_a_surrogate_pair_is_refused_and_kills_nothing(project, home):
    """The name of a file that is no UTF-8: SQLite takes no such text, and the step would be done
    again for ever."""

    def name() -> str:
        made.append("made")
        return "\udcff"

    @project.recipe()
    async def reader(job: Job) -> str:
        try:
            await job.step(name)
        except ResultNotRecordable as error:
            return error.code
        return "recorded"

    async with opened(project, home) as app:
        assert await app.run(reader) == "result_not_recordable"
    assert made == ["made"]
