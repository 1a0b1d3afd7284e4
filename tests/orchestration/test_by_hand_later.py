"""What people have said of a subtask is followed by later runs: parked, dead, or of new code."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.behind import place_at
from tests.orchestration import approving
from tests.orchestration.conftest import Open
from tests.orchestration.desk import Desk, orchestration, stands
from tests.orchestration.team import agent, lead, subtask
from tests.support import armed, away, dying, eventually, park, refused, result, status
from tests.warm import ROOT, Warm

from lampwork import Project, Settings
from lampwork.door import Door
from lampwork.insights import Insights
from lampwork.store.tasks import orders
from lampwork.versioning.upgrade import rehearse_all


async def test_an_order_wakes_a_parked_round_and_is_followed_over_a_restart(opened: Open) -> None:
    """The agent is an orchestrator whose plan waits for somebody, so nothing executes."""
    project = Project("desk")
    able = agent(project, "able")
    below = lead(project, [able], [subtask("x", "able")], name="below", plan_approval="always")
    lead(project, [below, able], [subtask("a", "below"), subtask("b", "able")])
    async with opened(project) as app:
        job = await app.assign("lead", "Do it.")
        found = await orchestration(app, job)
        of, round = found.orchestration_id, found.rounds[0].job_id
        await stands(app, of, "b", "succeeded")
        [task] = [each.task_id for each in (await stands(app, of, "a", "working")).attempts]

        async def waits() -> Any:
            rounds = (await Insights(app.store).job(round)).waiting_on
            return rounds and rounds[0].waiting_on

        await eventually(waits)
        await park(app, round)
    async with opened(project) as app:
        await app.reassign_subtask(of, "a", "able", by="ann")
        answer = await result(app, job)
        ended = await Insights(app.store).orchestration(of)
        [below] = (await Insights(app.store).orchestration(task or "")).rounds
        await status(app, below.job_id, "cancelled")

    assert answer["response"] == "a succeeded, b succeeded"
    assert [each.status for each in ended.subtasks[0].attempts] == ["stopped", "accepted"]


@pytest.mark.parametrize("point", ["call.before", "call.after"])
async def test_a_run_that_dies_where_it_follows_an_order_follows_it_once(
    opened: Open, point: str
) -> None:
    desk = Desk(subtask("a", "slow"), subtask("b", "able", depends_on=["a"]))
    async with opened(desk.project, sweep_interval=0.1) as app:
        job = await app.assign("lead", "Do it.")
        found = await orchestration(app, job)
        await eventually(lambda: desk.asked)
        deaths = iter([dying(app, found.rounds[0].job_id)])
        with armed(point, lambda: next(deaths, lambda: None)()):
            await app.reassign_subtask(found.orchestration_id, "a", "able", by="ann")
            answer = await result(app, job)
        ended = await Insights(app.store).orchestration(found.orchestration_id)

    assert next(deaths, None) is None
    assert answer["response"] == "a succeeded, b succeeded"
    assert [each.agent for each in ended.subtasks[0].attempts] == ["slow", "able"]
    assert len(desk.asked) == 3


@pytest.mark.usefixtures("place")
async def test_an_order_that_is_given_while_the_process_is_dead_is_followed_by_the_next(
    tmp_path: Path, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, home = tmp_path / "book", Path(os.environ["LAMPWORK_HOME"])
    monkeypatch.setenv("BOOK", str(book))
    words = ["-m", "lampwork", "worker", "tests.orchestration.approving:project"]
    settings = Settings(home=home, db=os.environ.get("LAMPWORK_DB"))
    async with Door.opened(approving.project, settings) as door:
        job = await door.assign(approving.truster, "Book it.")
        killed = warm.start(words, cwd=ROOT)
        of = (await orchestration(door, job)).orchestration_id
        await stands(door, of, "a", "working")
        os.kill(killed.pid, signal.SIGKILL)
        await asyncio.to_thread(killed.communicate, timeout=60)
        await door.reassign_subtask(of, "a", "worker", by="ann")
        goes_on = warm.start(words, cwd=ROOT)
        answer = await door.result(job)
        goes_on.terminate()
        await asyncio.to_thread(goes_on.communicate, timeout=60)

    assert answer["response"] == "the first agent is booked"
    assert [line.split("\t")[0] for line in book.read_text().splitlines()] == ["the first agent"]


async def test_a_round_with_orders_is_rehearsed_to_where_it_stands(
    opened: Open, tmp_path: Path
) -> None:
    desk = Desk(subtask("a", "unable"), subtask("b", "held"), subtask("c", "unable"))
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        for each in ("a", "c"):
            await stands(app, of, each, "failed")
        await app.reassign_subtask(of, "a", "able", by="ann")
        await stands(app, of, "a", "succeeded")
    place = place_at(Path(os.environ["LAMPWORK_HOME"]))
    found = [each async for each in rehearse_all(desk.project, place)]

    assert [(each.goes_on, each.why, each.notes) for each in found] == [(True, None, ())] * 2


async def test_a_database_that_is_away_when_a_round_is_closed_lets_it_be_tried_again(
    opened: Open,
) -> None:
    desk = Desk(subtask("a", "unable"), subtask("b", "able"))
    async with opened(desk.project, sweep_interval=0.1) as app:
        with refused(orders, "close"):
            job = await app.assign("lead", "Do it.", allow_partial=True)
            answer = await result(app, job)

    assert answer["response"] == "a failed, b succeeded"


@pytest.mark.parametrize("look", [1, 2])
async def test_nor_does_one_that_is_away_when_it_looks_for_orders_fail_it(
    opened: Open, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    given, looks = orders.given, itertools.count(1)

    def looking(connection: Any, round: str) -> Any:
        if next(looks) == look:
            away()
        return given(connection, round)

    monkeypatch.setattr(orders, "given", looking)
    desk = Desk(subtask("a", "able"))
    async with opened(desk.project, sweep_interval=0.1) as app:
        answer = await result(app, await app.assign("lead", "Do it."))

    assert answer["response"] == "a succeeded"
    assert next(looks) > look + 1
