"""The audit log: what people do is on record, with the change itself."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from lampwork import Answer, App, Cron, Job, Project, Turn, playbook
from lampwork.acting import acting
from lampwork.errors import JobEnded
from lampwork.people import audit_log

from .conftest import Open

ANN = "ann@example.org"
project = Project("shop")


@playbook
def helps(turn: Turn) -> Answer:
    return Answer("done")


clerk = project.genie("clerk", model=helps, job_description="You help.")


@project.recipe(triggers=[Cron("0 6 * * *")])
async def report(job: Job) -> str:
    return "done"


@project.recipe()
async def waits(job: Job) -> str:
    return await job.wait_for("go", str)


async def by_ann(doing: Awaitable[Any]) -> Any:
    with acting(ANN, address="10.0.0.7"):
        return await doing


async def log(app: App) -> list[tuple[str, str | None, str | None]]:
    """What is on record, the oldest first."""
    entries = (await audit_log.newest(app.store)).items
    assert {(each.who, each.address) for each in entries} <= {(ANN, "10.0.0.7")}
    return [(each.action, each.on, each.project) for each in reversed(entries)]


async def test_what_a_person_does_is_on_record_in_the_transaction_of_the_change(
    opened: Open,
) -> None:
    async with opened(project) as app:
        job = await by_ann(app.start(waits))
        await by_ann(app.send_event(job, "go", "now"))
        await app.result(job)
        other = await by_ann(app.start(waits))
        await by_ann(app.cancel(other))
        await by_ann(app.pause_genie(clerk, by=ANN))
        await by_ann(app.start_genie(clerk, by=ANN))
        await by_ann(app.pause_trigger(report, by=ANN))
        await by_ann(app.start_trigger(report, by=ANN))
        [fired] = await by_ann(app.fire(report))
        await app.result(fired)
        again = await by_ann(app.rerun(fired))
        await by_ann(app.erase(user="ben"))

        assert await log(app) == [
            ("job.start", job, "shop"),
            ("event.send", job, "shop"),
            ("job.start", other, "shop"),
            ("job.cancel", other, "shop"),
            ("genie.pause", "clerk", "shop"),
            ("genie.start", "clerk", "shop"),
            ("trigger.pause", "report", "shop"),
            ("trigger.start", "report", "shop"),
            ("trigger.fire", "report", "shop"),
            ("job.rerun", fired, "shop"),
            ("person.erase", None, None),
        ]
        assert (await audit_log.newest(app.store, limit=2)).items[1].details == {"copy": again}
        assert (await audit_log.verify(app.store)).broken is None


async def test_what_is_refused_and_what_code_does_by_itself_is_not(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(report)
        await app.result(job)
        with pytest.raises(JobEnded):
            await by_ann(app.cancel(job))

        assert await log(app) == []


async def test_what_a_job_does_is_in_nobodys_name_whoever_started_it(opened: Open) -> None:
    here: dict[str, App] = {}

    async def start_another() -> str:
        return await here["app"].start(report)

    @project.recipe()
    async def starts(job: Job) -> str:
        return await job.step(start_another)

    async with opened(project) as app:
        here["app"] = app
        job = await by_ann(app.start(starts))
        await app.result(await app.result(job))

        assert await log(app) == [("job.start", job, "shop")]


async def test_erasing_a_person_blanks_what_the_log_says_of_them(opened: Open) -> None:
    async with opened(project) as app:
        await by_ann(app.start(report))
        await app.erase(user=ANN)

        [told, entry] = (await audit_log.newest(app.store)).items
        assert (entry.action, entry.who, entry.on) == ("job.start", None, None)
        assert (told.action, told.details) == ("audit.blank", {"entries": [entry.number]})
        assert (await audit_log.verify(app.store)).broken is None
