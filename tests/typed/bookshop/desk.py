"""The shop's desk: the door from outside."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from lampwork import App, Finding, JobRef, Proof, ReadingCaps, Settings, TextDelta

from .orders import Verdict
from .project import clerk, decide, project, review


@asynccontextmanager
async def opened(home: Path) -> AsyncGenerator[App]:
    """The shop, open."""
    settings = Settings(home, reading=ReadingCaps(pages=20), park_after=5.0)
    async with project.open(settings=settings) as app:
        yield app


async def take_back(app: App, order_id: str) -> tuple[Verdict, Proof]:
    """Decide on a return, and show what the clerk's model saw."""
    heard: list[TextDelta] = []
    with app.on_text(heard.append):
        verdict = await app.run(decide, order_id)
    answer = await app.assign_task(
        clerk, "Decide on it again.", metadata={"order_id": order_id}, output=Verdict
    )
    return verdict, answer.proof


async def tonight(app: App) -> list[str]:
    """The nightly job, now; asked for twice, it is one."""
    job: JobRef = await app.start(review, idempotency_key="tonight")
    return await app.result(job.job_id, list[str])


def findings() -> list[str]:
    """What is wrong with the project."""
    found: list[Finding] = project.check()
    return [f"{each.severity}: {each.message}" for each in found]


def at_once(home: Path, order_id: str) -> Verdict:
    """Decide without an event loop."""
    return project.run(decide, home=home, order_id=order_id)
