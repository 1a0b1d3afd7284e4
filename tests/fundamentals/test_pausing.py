"""Pausing: a genie that takes no new tasks for a while."""

from __future__ import annotations

import asyncio

import pytest

from lampwork import Answer, App, Job, Project, Turn, playbook
from lampwork.door import Door
from lampwork.errors import GenieInactive, GenieNotFound, JobFailed
from lampwork.insights import Insights
from lampwork.store.jobs import inbox
from lampwork.store.tasks import pauses
from lampwork.views import WaitingOn

from ..support import eventually, idle, park, result, row, status
from .conftest import Open

project = Project("paused")
asked: list[str] = []
holding: asyncio.Event | None = None


@playbook
async def answering(turn: Turn) -> Answer:
    asked.append(turn.instructions)
    if turn.instructions == "Hold." and holding is not None:
        await holding.wait()
    return Answer(f"did: {turn.instructions}")


finance = project.genie("finance", model=answering, job_description="You help.")
other = project.genie("other", model=answering, job_description="You help.")


@project.recipe()
async def ask(job: Job, what: str, wait: bool = False) -> str:
    how = "wait" if wait else "fail"
    return (await job.assign_task(finance, what, when_paused=how)).output


@project.recipe()
async def ask_in_line(job: Job) -> list[str]:
    """Two tasks side by side on one conversation; the first one's genie may be paused."""
    first = await job.assign_task(other, "Begin.")
    answers = await job.gather(
        job.assign_task(finance, "One.", conversation=first.conversation_id, when_paused="wait"),
        job.assign_task(other, "Two.", conversation=first.conversation_id),
    )
    return [each.output for each in answers]


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


async def waits(app: App, job_id: str) -> tuple[WaitingOn, ...]:
    return (await Insights(app.store).view(job_id)).waiting_on


async def test_a_paused_genie_takes_no_new_task_and_says_who_paused_it(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie(finance, by="ann", why="audit")
        with pytest.raises(JobFailed) as caught:
            await app.run(ask, what="Pay.")
    assert caught.value.error["code"] == GenieInactive.code
    assert caught.value.error["fields"] == {"genie": "finance", "by": "ann", "why": "audit"}
    assert 'Genie "finance" is paused by ann since ' in caught.value.message
    assert "(audit). Start it (lampwork genie finance start), or assign" in caught.value.message
    assert asked == []


async def test_started_again_it_takes_tasks(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie("finance", by="ann")
        await app.start_genie("finance", by="bob")
        assert await app.run(ask, what="Pay.") == "did: Pay."


async def test_other_genies_go_on(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie(finance, by="ann")
        assert (await app.assign_task(other, "Pay.")).output == "did: Pay."


async def test_a_pause_outlives_the_process_and_may_come_from_another(opened: Open) -> None:
    async with opened(project) as app:
        door = Door(project, app.store)  # what another process has
        await door.pause_genie("finance", by="ann")
    async with opened(project) as app:
        with pytest.raises(JobFailed, match="paused by ann"):
            await app.run(ask, what="Pay.")


async def test_a_genie_that_is_not_there_can_not_be_paused(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(GenieNotFound):
            await app.pause_genie("nobody", by="ann")


async def test_a_task_that_is_worked_on_goes_on(opened: Open) -> None:
    global holding
    holding = asyncio.Event()
    async with opened(project) as app:
        job = await app.start(ask, what="Hold.")
        await eventually(lambda: asked)
        await app.pause_genie(finance, by="ann")
        app._loop.call_soon(holding.set)
        assert await result(app, job.job_id) == "did: Hold."


async def test_a_task_that_may_wait_waits_parked_and_shows_for_whom(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie(finance, by="ann", why="audit")
        job = await app.start(ask, what="Pay.", wait=True)
        await status(app, job.job_id, "suspended")
        [wait] = await waits(app, job.job_id)
        assert (wait.kind, wait.what, wait.genie) == (
            "paused",
            "genie finance, paused by ann: audit",
            "finance",
        )
        await park(app, job.job_id)
        assert asked == []

        await app.start_genie(finance, by="bob")

        assert await result(app, job.job_id) == "did: Pay."


async def test_paused_anew_before_it_wakes_it_waits_anew(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie(finance, by="ann")
        job = await app.start(ask, what="Pay.", wait=True)
        await park(app, job.job_id)
    # No process executes while it is started and paused again.
    async with opened(Project("elsewhere")) as elsewhere:
        door = Door(project, elsewhere.store)
        await door.start_genie("finance", by="bob")
        await door.pause_genie("finance", by="cleo", why="again")
    async with opened(project) as app:
        run = await idle(app, job.job_id)
        assert [wait.id for wait in run.waiting_for.values()] == [f"w{job.job_id[1:]}.1.paused2"]
        [wait] = await waits(app, job.job_id)
        assert wait.what == "genie finance, paused by cleo: again"
        assert asked == []

        await app.start_genie(finance, by="bob")

        assert await result(app, job.job_id) == "did: Pay."


async def test_who_waits_for_a_paused_genie_keeps_no_place_in_a_line(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie(finance, by="ann")
        job = await app.start(ask_in_line)
        await eventually(lambda: "Two." in asked)
        await idle(app, job.job_id)
        await app.start_genie(finance, by="ann")
        assert await result(app, job.job_id) == ["did: One.", "did: Two."]
    assert asked == ["Begin.", "Two.", "One."]


async def test_a_cancelled_job_waits_for_no_genie(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie(finance, by="ann")
        job = await app.start(ask, what="Pay.", wait=True)
        await park(app, job.job_id)
        await app.cancel(job.job_id)
        await status(app, job.job_id, "cancelled")
        await app.start_genie(finance, by="ann")
        assert (await row(app, job.job_id)).status == "cancelled"
    assert asked == []


async def test_genies_are_shown_with_what_keeps_them_from_tasks(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_genie(finance, by="ann", why="audit")
        shown = await Insights(app.store).genies([finance, other], None)
    assert [(each.genie, each.status, each.model) for each in shown] == [
        ("finance", "paused", "playbook:answering"),
        ("other", "active", "playbook:answering"),
    ]
    assert shown[0].paused is not None
    assert (shown[0].paused.by, shown[0].paused.why) == ("ann", "audit")


async def test_a_start_between_the_look_and_the_wait_is_not_missed(opened: Open) -> None:
    """What is written in one transaction: that the genie is paused, and who waits for it."""
    global holding
    holding = asyncio.Event()
    of_task = {"job_id": "j1", "call": 1, "task": "t1.1"}
    async with opened(project) as app:
        job = await app.start(ask, what="Hold.")  # a job that is there, and not ended
        await eventually(lambda: asked)
        of_task["job_id"] = job.job_id
        await app.pause_genie(finance, by="ann")
        wait = await app.store.write(pauses.wait_if_paused, project.name, "finance", **of_task)
        assert wait is not None
        await app.start_genie(finance, by="bob")

        answer, _due = await app.store.write(inbox.open_wait, wait)

        assert answer is not None
        assert answer.source == "bob"
        again = await app.store.write(pauses.wait_if_paused, project.name, "finance", **of_task)
        assert again is None
        app._loop.call_soon(holding.set)
        await result(app, job.job_id)
