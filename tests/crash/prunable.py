"""Fills a place with what may be pruned, and what may not: `python prunable.py HOME [go-on]`.

The place is HOME, or the database that LAMPWORK_DB names; notes for later are in HOME.

Half a minute of life in which everything is written that a job can leave behind. `go-on` lets the
job go on that waited meanwhile, and does again what was kept.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lampwork import (
    Answer,
    App,
    Budget,
    Call,
    File,
    Job,
    Metadata,
    Project,
    Settings,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.errors import JobFailed

project = Project("prunable")

LARGE = "x" * 400_000
"""More than stands in a row."""

CANARY = "erasable-canary"
"""What names a person, who has a tree of jobs and a failed one that was retried."""


@project.skill(effect="idempotent")
def file_away(invoice: Metadata[str], call: SkillCall) -> str:
    """File the invoice away."""
    call.save_artifact("copy.txt", invoice.encode(), "text/plain")
    return LARGE


@playbook
def clerk(turn: Turn) -> Call | Answer:
    return Answer("filed") if turn.results else Call("file_away")


finance = project.genie("finance", model=clerk, job_description="", skills=[file_away])


def read(name: str) -> str:
    return LARGE + name


def fail_once(marker: str) -> None:
    if not Path(marker).exists():
        Path(marker).touch()
        raise ValueError("the first time")


def over(name: str) -> None:
    """What runs at the end."""


async def one(job: Job, name: str) -> str:
    task = await job.assign_task(
        finance,
        "File it.",
        files=[File("a.txt", name.encode())],
        metadata={"invoice": name},
        budget=Budget(skill_calls=5),
    )
    return task.conversation_id


@project.recipe()
async def review(job: Job, name: str) -> list[str]:
    job.on_end(over, name)
    job.log(f"reviews {name}")
    await job.step(read, name)
    return await job.map(one, [f"{name}-1", f"{name}-2"])


@project.recipe()
async def shaky(job: Job, marker: str) -> str:
    first = await one(job, "kept")
    await job.step(fail_once, marker)
    again = await job.assign_task(
        finance, "Again.", conversation=first, metadata={"invoice": "again"}
    )
    return again.conversation_id


def refuse(name: str) -> None:
    raise ValueError(f"refuses {name}")


@project.recipe()
async def broken(job: Job, name: str) -> None:
    await one(job, f"{name}-1")
    await job.step(refuse, name)


@project.recipe()
async def patient(job: Job, conversation: str) -> str:
    name = await job.wait_for("name", str)
    task = await job.assign_task(
        finance, "Go on.", conversation=conversation, metadata={"invoice": name}
    )
    return task.conversation_id


def opened(home: Path) -> AbstractAsyncContextManager[App]:
    return project.open(settings=Settings(home=home, db=os.environ.get("LAMPWORK_DB")))


async def fill(home: Path) -> None:
    async with opened(home) as app:
        for name in ("a", "b", CANARY):
            await app.run(review, name=name)
        try:
            await app.run(shaky, marker=str(home / "failed-once"))
        except JobFailed as error:
            retried = await app.retry(error.job_id)
            await app.result(retried.job_id)
        try:
            await app.run(broken, name=CANARY)
        except JobFailed as error:
            with suppress(JobFailed):
                await app.result(await app.retry(error.job_id))
        talk = await app.run(review, name="linked")
        waiting = await app.start(patient, conversation=talk[0])
        await app.send_event((await app.start(patient, conversation=talk[1])).job_id, "other", 1)
        (home / "waiting").write_text(waiting.job_id)
        open_ends = sa.text("select id from jobs where ended_at is null and callable <> 'patient'")
        while left := await app.store.read(lambda each: each.execute(open_ends).scalars().all()):
            for job_id in left:
                await app.ended(job_id)


async def go_on(home: Path) -> Any:
    async with opened(home) as app:
        job_id = (home / "waiting").read_text()
        await app.send_event(job_id, "name", "late")
        print(await app.result(job_id))
        print(await app.run(review, name="new"))


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    asyncio.run(go_on(Path(folder)) if rest else fill(Path(folder)))
