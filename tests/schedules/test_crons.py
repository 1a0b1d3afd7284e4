"""When crons fire, at a clock that the test sets: each of their times starts one job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.schedules.scheduling import HOUR, NOON, Clock, at, executing, fired, look, triggered
from tests.support import eventually, refused, rows, status

from lampwork import App, Cron, Job, Project
from lampwork.errors import TriggerNotFound
from lampwork.store import schema
from lampwork.store.triggers import triggers
from lampwork.triggers import schedule
from lampwork.worker.presence import Presence


async def nightly(job: Job) -> str:
    return str(job.trigger.scheduled_at)


def cron(project: Project, catch_up: Any = "skip") -> None:
    project.recipe(triggers=[Cron("@hourly", catch_up=catch_up)])(nightly)


async def test_a_cron_fires_at_each_of_its_times_and_not_before(
    project: Project, home: Path, clock: Clock
) -> None:
    cron(project)
    async with executing(project, home, clock) as app:
        assert await at(app, clock, 0.99) == []
        assert await at(app, clock, 1.01) == [1]
        assert await at(app, clock, 1.5) == [1]
        assert await at(app, clock, 2) == [1, 2]
        [(job_id, _), _] = await rows(app, "select id, callable from jobs order by id")
        row = await status(app, job_id, "succeeded")
        assert row.trigger == {
            "kind": "cron",
            "trigger": "cron @hourly UTC",
            "scheduled_at": "2026-06-01T13:00:00+00:00",
        }
        assert await app.result(job_id) == "2026-06-01 13:00:00+00:00"


async def test_who_may_have_been_found_gone_fires_nothing_until_it_is_heard_of_again(
    project: Project, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one may fire them by then."""
    cron(project)
    monkeypatch.setattr(schedule, "_AGAIN", 0.01)
    async with executing(project, home, clock) as app:
        with monkeypatch.context() as unheard:
            unheard.setattr(Presence, "holds", property(lambda _: False))
            assert await at(app, clock, 1.01) == []

        async def has_fired() -> bool:
            return await fired(app) == [1]

        await eventually(has_fired, "it did not look again")


@pytest.mark.parametrize(
    ("catch_up", "caught_up"), [("skip", []), ("once", [5]), ("all", [1, 2, 3, 4, 5])]
)
async def test_what_was_missed_while_nobody_executed_is_caught_up_as_the_cron_says(
    project: Project, home: Path, clock: Clock, catch_up: str, caught_up: list[float]
) -> None:
    cron(project, catch_up)
    async with executing(project, home, clock):
        pass
    clock.hours = 5.01
    async with executing(project, home, clock) as app:
        assert await fired(app) == caught_up
        assert await at(app, clock, 6.01) == [*caught_up, 6]


@pytest.mark.parametrize("catch_up", ["skip", "once", "all"])
async def test_nothing_is_caught_up_from_before_a_trigger_was_seen(
    project: Project, home: Path, clock: Clock, catch_up: str
) -> None:
    async with executing(project, home, clock):
        pass
    cron(project, catch_up)
    clock.hours = 5.5
    async with executing(project, home, clock) as app:
        assert await fired(app) == []
        assert await at(app, clock, 6) == [6]


async def test_a_trigger_that_was_gone_from_the_code_begins_anew(
    project: Project, home: Path, clock: Clock
) -> None:
    cron(project, "all")
    without = Project("test")
    async with executing(project, home, clock):
        pass
    without.recipe(nightly)
    async with executing(without, home, clock) as app:
        with pytest.raises(TriggerNotFound, match="has no triggers"):
            await app.fire("nightly")
    clock.hours = 5.5
    async with executing(project, home, clock) as app:
        assert await fired(app) == []


async def test_a_changed_expression_is_a_new_trigger(
    project: Project, home: Path, clock: Clock
) -> None:
    cron(project, "all")
    changed = Project("test")
    changed.recipe(triggers=[Cron("30 * * * *", catch_up="all")])(nightly)
    async with executing(project, home, clock):
        pass
    clock.hours = 2.6
    async with executing(changed, home, clock) as app:
        assert await fired(app) == []
        assert await at(app, clock, 4) == [3.5]


async def test_much_that_was_missed_is_caught_up_in_portions(
    project: Project, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_AT_MOST", 2)
    cron(project, "all")
    async with executing(project, home, clock):
        pass
    clock.hours = 5.01
    async with executing(project, home, clock) as app:

        async def all_of_them() -> bool:
            return await fired(app) == [1, 2, 3, 4, 5]

        await eventually(all_of_them)


async def test_a_clock_that_is_set_back_fires_nothing_twice(
    project: Project, home: Path, clock: Clock
) -> None:
    cron(project, "all")
    async with executing(project, home, clock) as app:
        assert await at(app, clock, 2) == [1, 2]
        assert await at(app, clock, 0.5) == [1, 2]
        assert await at(app, clock, 2.5) == [1, 2]
        assert await at(app, clock, 3) == [1, 2, 3]


async def test_a_process_that_slept_through_a_time_catches_it_up_or_skips_it(
    project: Project, home: Path, clock: Clock
) -> None:
    """As a laptop does whose lid is closed: no process has ended."""
    cron(project, "skip")
    async with executing(project, home, clock) as app:
        assert await at(app, clock, 1.03) == [1], "two minutes are no sleep"
        assert await at(app, clock, 4.5) == [1]
        assert await at(app, clock, 5) == [1, 5]


async def test_a_paused_cron_fires_nothing_and_is_caught_up_as_it_says(
    project: Project, home: Path, clock: Clock
) -> None:
    for name, catch_up in (("skips", "skip"), ("once", "once"), ("all", "all")):
        project.recipe(name=name, triggers=[Cron("@hourly", catch_up=catch_up)])(nightly)  # type: ignore[arg-type]

    async def of(app: App, recipe: str) -> int:
        [(count,)] = await rows(app, "select count(*) from jobs where callable = :it", it=recipe)
        return count

    async with executing(project, home, clock) as app:
        for recipe in project.recipes:
            await app.pause_trigger(recipe, by="ann", why="the books are closed")
        assert await at(app, clock, 1.01) == []
    async with executing(project, home, clock) as app:
        assert await at(app, clock, 3.01) == [], "a pause lasts over a restart"
        for recipe in project.recipes:
            await app.start_trigger(recipe, by="ben", why="they are open")
        await look(app)
        assert [await of(app, each) for each in project.recipes] == [0, 1, 3]
        await at(app, clock, 4)
        assert [await of(app, each) for each in project.recipes] == [1, 2, 4]


async def test_a_cron_is_fired_by_hand_paused_or_not_and_keeps_its_times(
    project: Project, home: Path, clock: Clock
) -> None:
    cron(project)
    async with executing(project, home, clock) as app:
        await app.pause_trigger("nightly", by="ann")
        clock.hours = 0.5
        [job] = await app.fire(project.recipes["nightly"], by="ben")
        assert await fired(app) == [0.5]
        assert [by["by"] for by in await triggered(app)] == ["ben"]
        await status(app, job, "succeeded")
        assert await at(app, clock, 1.5) == [0.5], "it is paused still"
        await app.start_trigger("nightly", by="ann")
        assert await at(app, clock, 2) == [0.5, 2]


async def test_a_pause_says_who_and_why_until_it_is_over(
    project: Project, home: Path, clock: Clock
) -> None:
    async def orders() -> list[tuple[Any, ...]]:
        of = schema.triggers.c
        return await rows(app, sa.select(of.paused, of.started))

    cron(project)
    async with executing(project, home, clock) as app:
        await app.pause_trigger("nightly", by="ann", why="the books are closed")
        ann = {"by": "ann", "at": NOON, "why": "the books are closed"}
        assert await orders() == [(ann, None)]
        await app.pause_trigger("nightly", by="ben", why="still")
        assert await orders() == [({"by": "ben", "at": NOON, "why": "still"}, None)]
        await app.start_trigger("nightly", by="ben", why="they are open")
        assert await orders() == [(None, {"by": "ben", "at": NOON, "why": "they are open"})]


async def test_one_of_several_triggers_is_meant_by_its_name(
    project: Project, home: Path, clock: Clock
) -> None:
    project.recipe(triggers=[Cron("@hourly"), Cron("@daily")])(nightly)
    async with executing(project, home, clock) as app:
        both = r"\(cron @hourly UTC\), cron-\w+ \(cron @daily UTC\)"
        with pytest.raises(TriggerNotFound, match=both) as caught:
            await app.fire("nightly")
        assert caught.value.known == ["cron @hourly UTC", "cron @daily UTC"]
        with pytest.raises(TriggerNotFound):
            await app.pause_trigger("nightly", trigger="cron @weekly UTC", by="ann")
        await app.pause_trigger("nightly", trigger="cron @hourly UTC", by="ann")
        assert await at(app, clock, 12) == [12]
        assert len(await app.fire("nightly", trigger="cron @daily UTC")) == 1


async def test_a_commit_that_is_refused_fires_nothing_and_is_done_again(
    project: Project, home: Path, clock: Clock
) -> None:
    cron(project)
    async with executing(project, home, clock) as app:
        clock.hours = 1
        with refused(triggers, "fire"):
            await look(app)
        assert await fired(app) == []
        assert await at(app, clock, 1 + 4 / HOUR) == [], "the database gets a rest"
        assert await at(app, clock, 1 + 5 / HOUR) == [1]
        assert await at(app, clock, 1.5) == [1]
