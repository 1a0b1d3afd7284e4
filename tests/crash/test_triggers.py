"""SIGKILL beside what triggers write: each time of a cron, each item of a poll starts one job."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import pytest
from tests.crash.around import outside, rows


@pytest.mark.parametrize("when", ["trigger.due", "trigger.fired"])
async def test_each_leap_day_starts_one_job_however_often_the_process_dies(when, workers, home):
    """Before the commit of the job and the cursor, and after it."""
    leap_days = [f"{year}-02-29T00:00:00+00:00" for year in (2028, 2032, 2036)]
    assert (await workers.live(home, clock=moment("2027-01-01"))).code == 0
    for day in leap_days:
        later = moment(day) + 30
        killed = await workers.live(home, clock=later, failpoints=f"{when}=kill")
        assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
    life = await workers.live(home, clock=moment("2040-01-01"))
    assert life.code == 0, workers.stderr.read_text()

    query = "select \"trigger\" ->> 'scheduled_at', status from jobs order by id"
    assert rows(home, query) == [(day, "succeeded") for day in leap_days]


@pytest.mark.parametrize("when", ["trigger.due", "trigger.fired"])
async def test_each_item_starts_one_job_however_often_the_process_dies(
    when, workers, undisturbed, home
):
    """Between the poll's function and the commit of what it found, and after the commit."""
    load = f"items {when}"
    async with outside(home):
        for _ in range(2):
            killed = await workers.live(home, load, failpoints=f"{when}=kill")
            assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
        life = await workers.live(home, load)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(home, load, life)
    keys = rows(home, "select \"trigger\" ->> 'key' from jobs where callable = 'receive'")
    assert sorted(keys) == [(f"{load}/arrival 0",), (f"{load}/arrival 1",)]


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
