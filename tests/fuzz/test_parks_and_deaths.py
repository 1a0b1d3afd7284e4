"""Ordinary Python, parked and killed at random: the same outcome and the same effects as without.

A seed that fails is in the message; `LAMPWORK_FUZZ_SEED=<seed> pytest tests/fuzz` plays it alone.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOS
from tests.fuzz.programs import Maker, Program, effects, events_of, play, project
from tests.support import armed, inside, opened, rows

from lampwork import App, values
from lampwork.errors import JobEnded
from lampwork.runs.flow import RunEnded
from lampwork.store import schema

PROGRAMS = 6
"""Played side by side, in one process."""

SEEDS = [int(os.environ["LAMPWORK_FUZZ_SEED"])] if "LAMPWORK_FUZZ_SEED" in os.environ else range(6)
"""The first one is played at both places."""

DEADLINE = 150.0

BOUNDARIES = (
    "call.before",
    "call.after",
    "child.created",
    "wait.opened",
    "wait.answered",
    "step.before_effect",
    "step.after_effect",
    "task.opened",
    "task.claimed",
    "model.before",
    "model.after",
    "said.appended",
    "skill.before_effect",
    "skill.after_effect",
    "result.appended",
    "answer.appended",
    "job.before_outcome",
)


@pytest.mark.timeout(400)  # each program is played twice
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "seed",
    [pytest.param(each, marks=[pytest.mark.folder] if n else []) for n, each in enumerate(SEEDS)],
)
async def test_parks_and_deaths_at_random_change_neither_outcome_nor_effects(
    home: Path, seed: int
) -> None:
    print(f"seed {seed}")
    programs = [Maker(seed * 1000 + n).program() for n in range(PROGRAMS)]
    async with opened(project, home / "quiet") as app:
        quiet = await played(app, await started(app, programs), Calm())
    chance, happened, disturbed = random.Random(seed), 0, None
    job_ids: list[str] = []
    for seconds in (1.0, None):  # after a second the process ends, and another one goes on
        async with opened(project, home / "disturbed", sweep_interval=0.2) as app:
            trouble = Trouble(app, chance)
            with trouble.at_boundaries():
                job_ids = job_ids or await started(app, programs)
                disturbed = await played(app, job_ids, trouble, seconds)
            happened += trouble.happened
        if disturbed is not None:
            break
    assert happened
    assert quiet is not None
    assert disturbed is not None
    for program, one, other in zip(programs, quiet, disturbed, strict=True):
        assert other == one, f"seed {seed}: {program}"


class Calm:
    """Events come when they are waited for; nothing is disturbed."""

    chance = random.Random(0)
    early = 0.0

    async def tick(self) -> None:
        """Nothing happens."""


class Trouble:
    """Parks whoever waits and ends whoever runs, at random, and not for ever."""

    AT_MOST = 60
    early = 0.3

    def __init__(self, app: App, chance: random.Random) -> None:
        self.app, self.chance = app, chance
        self.happened = 0

    def happens(self, probability: float) -> bool:
        if self.happened >= self.AT_MOST or self.chance.random() >= probability:
            return False
        self.happened += 1
        return True

    async def tick(self) -> None:
        await inside(self.app, self._disturb())

    async def _disturb(self) -> None:
        for run in list(self.app.worker.runs.values()):
            if not run.busy and run.waiting_for:
                if self.happens(0.4):
                    await self.app.worker.parking.park(run)
            elif self.happens(0.05):
                run.end("infrastructure")

    @contextmanager
    def at_boundaries(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name in BOUNDARIES:
                stack.enter_context(armed(name, self._die))
            yield

    def _die(self) -> None:
        run = self.app.worker.runs.get(DBOS.workflow_id or "")
        if run is not None and run.ended is None and self.happens(0.12):
            run.end("infrastructure")
            raise RunEnded(run.job_id, "infrastructure")


async def started(app: App, programs: list[Program]) -> list[str]:
    return [(await app.start(play, program=program)).job_id for program in programs]


async def played(
    app: App, job_ids: list[str], trouble: Calm | Trouble, seconds: float | None = None
) -> list[Any] | None:
    """The outcomes of the jobs and what they did; None if they have not ended in that time."""
    loop, sent = asyncio.get_running_loop(), set[tuple[str, str]]()
    until = loop.time() + (seconds or DEADLINE)
    for (topic,) in await rows(app, "select topic from inbox where topic is not null"):
        sent.add(tuple(topic.split(":")))
    while not await ended(app, job_ids):
        if loop.time() > until:
            assert seconds, f"these do not end: {await standing(app)}"
            return None
        await answer_some(app, sent, trouble)
        await trouble.tick()
        await asyncio.sleep(0.005)
    return [await outcome_of(app, job_id) for job_id in job_ids]


async def ended(app: App, job_ids: list[str]) -> bool:
    open_jobs = await rows(app, "select id from jobs where ended_at is null")
    return not {id for (id,) in open_jobs} & set(job_ids)


async def standing(app: App) -> Any:
    jobs = await rows(app, "select id, want, status, attention from jobs where ended_at is null")
    return jobs, await rows(app, "select id, kind, answered, parked from waits where not answered")


async def answer_some(app: App, sent: set[tuple[str, str]], trouble: Calm | Trouble) -> None:
    """Send each job the events of its program, once; some before it waits for them."""
    waited = {
        tuple(topic.split(":"))
        for (topic,) in await rows(
            app, "select topic from waits where topic is not null and not answered"
        )
    }
    for job_id, input in await open_jobs(app):
        for name in events_of(input["program"]):
            early = trouble.chance.random() < trouble.early
            if (job_id, name) not in sent and ((job_id, name) in waited or early):
                sent.add((job_id, name))
                try:
                    await app.send_event(job_id, name, f"event {name}")
                except JobEnded:
                    continue


async def open_jobs(app: App) -> list[tuple[str, Any]]:
    of = schema.jobs.c
    found = await rows(app, sa.select(of.id, of.input).where(of.ended_at.is_(None)))
    return [(id, input) for id, input in found]


async def outcome_of(app: App, job_id: str) -> tuple[str, str, dict[str, str]]:
    """How a job ended, what it gave or why it failed, and what was done under which key."""
    found = await app.ended(job_id)
    outcome = values.read(await app.store.unfold(found.outcome))
    gave: Any = outcome.text if isinstance(outcome, values.Value) else outcome.error
    done: dict[str, str] = {}
    for key, label in effects.get(job_id[1:], []):
        assert done.setdefault(key, label) == label, f"{key} was {done[key]}, then {label}"
    return found.status, str(gave).replace(job_id, "j").replace(job_id[1:], ""), done
