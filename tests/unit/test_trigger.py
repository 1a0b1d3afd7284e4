"""Triggers: what is refused where it is defined, and when a cron comes, clock changes included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lampwork import Cron, Job, Poll, Project
from lampwork.errors import TriggerInvalid

HERE = Path(__file__)


def orders() -> list[dict[str, Any]]:
    return []


def orders_of(shop: str) -> list[dict[str, Any]]:
    return []


def orders_since(cursor: int | None) -> list[dict[str, Any]]:
    return []


async def orders_one_by_one() -> Any:
    yield {}


async def nightly(job: Job, day: str = "today") -> None: ...


async def one_order(job: Job, order: dict[str, Any]) -> None: ...


async def any_order(job: Job, **fields: Any) -> None: ...


def defined(*triggers: Any, of: Any = nightly) -> Any:
    return Project("shop").recipe(triggers=triggers)(of)


def test_a_recipe_has_its_triggers_and_may_have_several() -> None:
    cron, poll = Cron("0 6 * * 1-5", timezone="Europe/Berlin"), Poll(orders, timedelta(minutes=1))

    recipe = defined(cron, Cron("@daily"), poll, Poll(orders_since, 5, key=str, name="since"))

    assert [each.identity for each in recipe.triggers] == [
        "cron 0 6 * * 1-5 Europe/Berlin",
        "cron @daily UTC",
        f"poll {__name__}:orders",
        "poll since",
    ]


def test_an_identity_is_that_of_the_expression_however_it_is_written() -> None:
    assert Cron(" 0  6 * * 1 ").identity == Cron("0 6 * * 1", catch_up="all").identity
    assert Cron("0 6 * * 1").identity != Cron("0 6 * * 1", timezone="Asia/Tokyo").identity


@pytest.mark.parametrize(
    ("trigger", "why"),
    [
        (Cron("at noon"), "five fields"),
        (Cron("* * * * * *"), "five fields"),
        (Cron("61 * * * *"), "out of range"),
        (Cron("@reboot"), "no cron expression"),
        (Cron("R * * * *"), "to chance"),
        (Cron(12), "no cron expression"),  # type: ignore[arg-type]
        (Cron("0 0 30 2 *"), "never comes"),
        (Cron("@daily", timezone="Europe/Berlyn"), 'timezone="Europe/Berlin"'),
        (Cron("@daily", timezone=None), "no time zone"),  # type: ignore[arg-type]
        (Cron("@daily", catch_up="some"), "skip, once, all"),  # type: ignore[arg-type]
        (Poll(orders, every=0), "every=0"),
        (Poll(orders, every=timedelta(seconds=-1)), "above zero"),
        (Poll(orders, every="1 s"), "every='1 s'"),  # type: ignore[arg-type]
        (Poll(orders, every=float("inf")), "every=inf"),
        (Poll(orders, 1, timeout=0), "timeout=0"),
        (Poll(orders, 1, key=""), "key=''"),
        (Poll(lambda: [], 1), "found again by name"),
        (Poll("orders", 1), "found again by name"),  # type: ignore[arg-type]
        (Poll(orders_of, 1), "takes shop"),
        (Poll(orders_one_by_one, 1), "async generator"),
        ("@daily", "no trigger"),
    ],
)
def test_a_trigger_that_could_never_fire_is_refused_where_it_is_defined(
    trigger: Any, why: str
) -> None:
    with pytest.raises(TriggerInvalid) as caught:
        defined(trigger)

    line = nightly.__code__.co_firstlineno
    assert why in caught.value.message
    assert caught.value.message.startswith(f'recipe "nightly" ({HERE}:{line}): ')
    assert (caught.value.recipe, caught.value.place) == ("nightly", f"{HERE}:{line}")


@pytest.mark.parametrize(
    ("triggers", "of", "why"),
    [
        ([Cron("@daily")], one_order, "needs order"),
        ([Poll(orders, 1)], any_order, r"can't fill \*\*fields"),
        ([Cron("@daily"), Cron("@daily")], nightly, "is there twice"),
        ("@daily", nightly, "is no list"),
        (Cron("@daily"), nightly, "is no list"),
    ],
)
def test_triggers_that_do_not_go_with_their_recipe_are_refused(
    triggers: Any, of: Any, why: str
) -> None:
    with pytest.raises(TriggerInvalid, match=why):
        Project("shop").recipe(triggers=triggers)(of)


# --- the clock ---

BERLIN = ZoneInfo("Europe/Berlin")


def times(cron: Cron, *, after: datetime, until: datetime) -> list[str]:
    """When it comes, on the clock of its zone."""
    found: list[str] = []
    moment = after.timestamp()
    while (moment := cron.after(moment)) <= until.timestamp():
        found.append(datetime.fromtimestamp(moment, ZoneInfo(cron.timezone)).isoformat())
    return found


def berlin(expression: str, day: datetime) -> list[str]:
    """When it comes on a day of Berlin's."""
    start = day.replace(tzinfo=BERLIN) - timedelta(seconds=1)
    end = (day + timedelta(days=1)).replace(tzinfo=BERLIN) - timedelta(seconds=1)
    return times(Cron(expression, timezone="Europe/Berlin"), after=start, until=end)


def test_where_the_clock_goes_forward_a_time_that_is_left_out_comes_after_the_gap() -> None:
    spring = datetime(2026, 3, 29)  # 02:00 is 03:00

    assert berlin("30 2 * * *", spring) == ["2026-03-29T03:00:00+02:00"]
    assert berlin("*/30 2 * * *", spring) == ["2026-03-29T03:00:00+02:00"]
    assert berlin("0 1-4 * * *", spring) == [
        "2026-03-29T01:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T04:00:00+02:00",
    ]
    assert len(berlin("*/30 * * * *", spring)) == 46


def test_where_the_clock_goes_back_a_fixed_hour_comes_once_and_a_free_one_goes_on() -> None:
    autumn = datetime(2026, 10, 25)  # 03:00 is 02:00

    assert berlin("30 2 * * *", autumn) == ["2026-10-25T02:30:00+02:00"]
    assert berlin("*/30 2 * * *", autumn) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
    ]
    assert berlin("0 1-4 * * *", autumn) == [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T04:00:00+01:00",
    ]
    assert len(berlin("*/30 * * * *", autumn)) == 50
    assert len(berlin("@hourly", autumn)) == 25


@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC)),  # midnight is left out
        ("Africa/Cairo", datetime(2026, 10, 29, 21, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),  # by half an hour
    ],
)
@pytest.mark.parametrize("expression", ["30 2 * * *", "0 0 * * *", "*/20 * * * *", "5 1,2 * * *"])
def test_what_comes_next_does_not_depend_on_where_one_starts_to_count(
    zone: str, around: datetime, expression: str
) -> None:
    cron = Cron(expression, timezone=zone)
    start, end = around - timedelta(hours=30), around + timedelta(hours=30)
    counted = times(cron, after=start, until=end)

    asked: dict[float, None] = {}
    for minutes in range(0, 60 * 60, 5):
        moment = start.timestamp() + 60 * minutes
        following = cron.after(moment)
        assert following > moment
        if following <= end.timestamp():
            asked[following] = None

    zoned = [datetime.fromtimestamp(each, ZoneInfo(zone)).isoformat() for each in asked]
    assert zoned == counted
    if expression in ("30 2 * * *", "0 0 * * *"):
        assert len({each[:10] for each in counted}) == len(counted), "once on each day"


# --- what is due ---

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


def due(
    catch_up: Any, settled: float, now: float, at_most: int = 1000
) -> tuple[list[float], float]:
    """In hours after noon."""
    found, until = Cron("@hourly", catch_up=catch_up).due(
        NOON + settled * HOUR, NOON + now * HOUR, at_most=at_most
    )
    return [(each - NOON) / HOUR for each in found], (until - NOON) / HOUR


@pytest.mark.parametrize("catch_up", ["skip", "once", "all"])
def test_a_time_that_has_just_come_is_due(catch_up: str) -> None:
    assert due(catch_up, settled=0, now=1.001) == ([1], 1)


def test_of_times_that_were_missed_none_one_or_all_are_due() -> None:
    late = 5.5
    assert due("skip", settled=0, now=late) == ([], pytest.approx(late - 120 / HOUR))
    assert due("once", settled=0, now=late) == ([5], 5)
    assert due("all", settled=0, now=late) == ([1, 2, 3, 4, 5], 5)


def test_all_are_due_in_portions_the_oldest_first() -> None:
    assert due("all", settled=0, now=5.5, at_most=2) == ([1, 2], 2)
    assert due("all", settled=2, now=5.5, at_most=2) == ([3, 4], 4)


def test_the_one_that_makes_up_for_a_year_is_the_last_and_is_found_at_once() -> None:
    every_minute = Cron("* * * * *", catch_up="once")
    leap_day = Cron("0 0 29 2 *", catch_up="once")

    assert every_minute.due(NOON - 365 * 24 * HOUR, NOON, at_most=1) == ([NOON], NOON)
    last = datetime(2024, 2, 29, tzinfo=UTC).timestamp()
    assert leap_day.due(0, NOON, at_most=1) == ([last], last)
