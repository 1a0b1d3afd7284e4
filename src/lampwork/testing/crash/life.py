"""One life of a process that executes the recipe: it goes on until the job has ended, or is killed.

Time passes by itself: when nothing executes, the clock moves to what comes due next.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lampwork import clock, failpoint
from lampwork.errors import InputInvalid
from lampwork.project import Project
from lampwork.settings import Settings
from lampwork.store.lists import queries
from lampwork.testing.app import TestApp
from lampwork.testing.cast import TestCast
from lampwork.testing.clock import FakeClock
from lampwork.testing.crash.journal import Recorder
from lampwork.types import ENDED, JobRef, Json
from lampwork.views import JobView

__all__ = ["Order", "live"]


@dataclass(frozen=True, slots=True)
class Order:
    """What a life is to do."""

    home: str
    journal: str
    recipe: str | None
    """None: make the folder's tables and end."""
    input: Json
    began: float
    """What time it is in the first life, in epoch seconds."""
    kill: str | None
    events: dict[str, Json]
    resolutions: dict[str, dict[str, Json]]
    """What became of unknown outcomes, by wait."""
    timeout: float


def live(project: Project, cast: TestCast, order: Order) -> None:
    """Do as ordered, and write down how it ended."""
    recorder = Recorder(Path(order.journal), order.kill)
    if order.recipe is not None:
        failpoint.watch(recorder.hit)
    fake = FakeClock(datetime.fromtimestamp(recorder.before.now or order.began, UTC))
    settings = Settings(home=Path(order.home), park_after=0.0, sweep_interval=0.3, grace=0.5)
    how: dict[str, Json] | None = None
    with clock.using(fake):
        app = TestApp(project, settings, cast, fake, patience=order.timeout)
        try:
            if order.recipe is not None:
                how = asyncio.run(_Life(app, cast, order, recorder).until_its_end())
        finally:
            app.close()  # which has boundaries too
    recorder.say(end=how)


@dataclass(frozen=True, slots=True)
class _Life:
    app: TestApp
    cast: TestCast
    order: Order
    recorder: Recorder

    async def until_its_end(self) -> dict[str, Json]:
        """How it ended."""
        job = await self._start()
        while True:
            await self.app.settled()
            if self.cast.mistakes:
                mistake = self.cast.mistakes[0]
                return {"how": "mistake", "why": f"{type(mistake).__name__}: {mistake}"}
            views = await self._jobs()
            open_jobs = [each for each in views if each.status not in ENDED]
            if not open_jobs:
                return await self._ended(job.job_id, views)
            if stopped := [each for each in open_jobs if each.attention is not None]:
                return {"how": "attention", "why": [each.attention for each in stopped]}
            waits = await self.app.store.read(
                queries.open_waits, [each.job_id for each in open_jobs]
            )
            questions = [_question(wait) for wait in waits if wait.kind == "resolution"]
            try:
                if await self._answer(waits):
                    continue
            except InputInvalid as error:
                return {"how": "mistake", "why": str(error)}
            if questions:
                return {"how": "asks", "questions": questions}
            if (due_at := self.app.clock.next_at) is None:
                return {"how": "waits", "for": self._in_words(open_jobs)}
            self.recorder.say(now=due_at)
            await self.app.clock.advance_to_next()

    async def _start(self) -> JobRef:
        if (known := self.recorder.before.job_id) is not None:
            return JobRef(known)
        assert self.order.recipe is not None
        recipe, input = self.order.recipe, self.order.input
        # The keys of its effects follow from this: each run of the test has its own.
        key = f"crash test {self.order.home}"
        job = await self.app.start_named(recipe, input, kind="api", idempotency_key=key)
        self.recorder.say(job=job.job_id)
        return job

    async def _jobs(self) -> list[JobView]:
        found: list[JobView] = []
        after: str | None = None
        while True:
            page = await self.app.insights.jobs(after=after, limit=500)
            found += page.items
            if (after := page.next) is None:
                return found

    async def _answer(self, waits: Any) -> bool:
        """Send the events that are waited for, and say what became of unknown outcomes."""
        answered = False
        for wait in waits:
            name = wait.subject.get("name")
            if wait.kind == "event" and name in self.order.events:
                await self.app.send_event(wait.job_id, name, self.order.events[name])
                answered = True
            elif wait.id in self.order.resolutions:
                await self._resolve(wait, self.order.resolutions[wait.id])
                answered = True
        return answered

    async def _resolve(self, wait: Any, said: dict[str, Json]) -> None:
        try:
            await self.app.resolve(wait.id, **said, by="the crash test")
        except InputInvalid as error:
            name = _question(wait)["name"]
            raise InputInvalid(
                f"{name} has happened, and {said['result']!r} can't be what it returned: {error} "
                "Give Effect(what, key, result) with what the service answered, or resolve="
            ) from error

    async def _ended(self, job_id: str, views: list[JobView]) -> dict[str, Json]:
        job = await self.app.insights.job(job_id)
        error = None if job.error is None else f"{job.error.code}: {job.error.message}"
        tree = sorted([each.recipe, each.status] for each in views)
        return {
            "how": "ended",
            "status": job.status,
            "output": job.output,
            "error": error,
            "jobs": tree,
        }

    def _in_words(self, jobs: list[JobView]) -> list[str]:
        return [on.what for each in jobs for on in each.waiting_on]


def _question(wait: Any) -> dict[str, Json]:
    subject = wait.subject
    name = subject.get("skill") or subject.get("step")
    return {"wait_id": wait.id, "name": name, "key": subject["key"], "why": subject["why"]}
