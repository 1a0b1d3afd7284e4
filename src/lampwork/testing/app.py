"""A project, open for one test: its own folder, its own models."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from lampwork import clock
from lampwork.app import App
from lampwork.errors import LiveModelRefused, StillWaiting
from lampwork.insights import Insights
from lampwork.models.ask import LanguageModel
from lampwork.models.resolve import Model, Playbook
from lampwork.project import Project
from lampwork.recipe import Recipe
from lampwork.settings import Settings
from lampwork.store.jobs import inbox
from lampwork.store.jobs.jobs import EndedJob
from lampwork.tasks.assignment import Assignment
from lampwork.testing.cast import AnyModel, TestCast
from lampwork.testing.clock import FakeClock
from lampwork.testing.request import Request
from lampwork.testing.rest import Patience, at_rest, settle
from lampwork.views import WaitingOn, to_json

__all__ = ["Opening", "TestApp", "opened"]

P = ParamSpec("P")
R = TypeVar("R")

_LOOK_AGAIN = 0.02
"""Seconds between two looks at whether anybody rests before another attempt."""

_STAYS_IN_MEMORY = 3600.0
_GRACE = 1.0
"""Seconds that running effects get when the test is over."""


class TestApp(App):
    """An open project in a test; `app.requests` is what its models were shown."""

    __test__ = False  # for pytest, which takes classes of this name for tests

    def __init__(
        self,
        project: Project,
        settings: Settings,
        cast: TestCast,
        clock: FakeClock,
        patience: float,
    ) -> None:
        """Open everything; blocks. Raises FolderInUse, FolderNotWritable, DatabaseTooNew."""
        self.clock = clock
        """What time it is for the jobs; it stands still until it is moved."""
        self.patience = patience
        clock.bind(self._on_jobs_loop, lambda: settle(self))
        self._cast = cast
        super().__init__(project, settings, cast=cast)
        self.requests = cast.requests
        """What models were asked, in the order in which they were."""
        self.insights = Insights(self.store)
        """What is on record: `await app.insights.job(id)`, `.conversation(id)`, as the CLI shows
        it."""

    async def settled(self) -> None:
        """Wait until nothing executes: all jobs have ended, or wait for what is yet to come.

        Raises StillExecuting.
        """
        await self._loop.call(settle(self))

    async def ended(self, job_id: str) -> EndedJob:
        """Wait until a job has ended; how it did. Raises JobNotFound, StillWaiting.

        The pauses before another attempt of a step, a skill or a subtask pass by themselves: the
        clock moves.
        What is wrong with the test itself is raised, whatever the job made of it:
        LiveModelRefused, ScriptEnded, ScriptCallInvalid, RecordingDiffers, the AssertionError of
        a playbook.
        """
        try:
            ended = await self._awaited(job_id)
        except StillWaiting:
            self._cast.raise_mistakes()
            raise
        self._cast.raise_mistakes()
        return ended

    async def _awaited(self, job_id: str) -> EndedJob:
        ending = asyncio.create_task(super().ended(job_id))
        patience = Patience(self.patience)
        try:
            while not (await asyncio.wait({ending}, timeout=_LOOK_AGAIN))[0]:
                is_over = patience.is_over()
                if not is_over and not await self._rests():
                    continue
                if await self._loop.call(at_rest(self)):
                    # Asked only now: what had executed may rest since.
                    goes_on = await self._rests() and await self.clock.advance_to_next()
                    if is_over and not goes_on and not ending.done():
                        await self._require_ended(job_id)
                if is_over:
                    patience = Patience(self.patience)
        finally:
            ending.cancel()
        return ending.result()

    async def _rests(self) -> bool:
        """Whether anybody rests before another attempt."""
        return self.clock.resting > 0 or await self.store.read(inbox.rests)

    async def _require_ended(self, job_id: str) -> None:
        """Raise StillWaiting unless the job, of which nothing executes, has ended."""
        found = await self.insights.view(job_id)
        if found.ended_at is not None:
            return  # who awaits it is about to hear that
        what = "; ".join(_in_words(each) for each in found.waiting_on) or found.status
        raise StillWaiting(
            f"Job {job_id} of {found.recipe} has not ended, and nothing executes: {what}. "
            f"The clock of this test stands at {self.clock.time:%Y-%m-%d %H:%M:%S} UTC. "
            "Do what it waits for before its result is awaited: await app.send_event(…), "
            f"{_resolving(found.waiting_on)}, await app.clock.advance(…).",
            job_id=job_id,
            waiting_on=to_json(found.waiting_on),
        )

    def _checked(self, given: Assignment) -> tuple[Assignment, LanguageModel]:
        try:
            return super()._checked(given)
        except LiveModelRefused as error:
            self._cast.mistakes.remove(error)  # the test is told right here
            raise

    async def _on_jobs_loop(self, work: Coroutine[Any, Any, None]) -> None:
        await self._loop.call(work)


def _resolving(waits: Sequence[WaitingOn]) -> str:
    """How to say what became of an effect, of that which the job waits for if there is one."""
    for on in waits:
        if on.kind == "resolution":
            return f'await app.resolve("{on.wait_id}", "happened", result=…, by=…)'
        if on.waiting_on and '"' in (below := _resolving(on.waiting_on)):
            return below
    return "await app.resolve(…)"


def _in_words(on: WaitingOn) -> str:
    until = "" if on.until is None else f" until {on.until:%Y-%m-%d %H:%M:%S} UTC"
    below = f" ({'; '.join(map(_in_words, on.waiting_on))})" if on.waiting_on else ""
    return f"waits for {on.what}{until}{below}"


class Opening(AbstractAsyncContextManager[TestApp]):
    """What `opened` gives: `async with` it, or `run` a recipe without an event loop."""

    def __init__(
        self,
        project: Project,
        home: Path | None,
        cast: TestCast,
        *,
        at: datetime | None,
        patience: float,
        **settings: Any,
    ) -> None:
        self.requests: list[Request] = cast.requests
        """What models were asked, in the order in which they were."""
        self._project, self._home, self._cast, self._settings = project, home, cast, settings
        self._at, self._patience = at, patience
        self._stack = ExitStack()

    async def __aenter__(self) -> TestApp:
        return await asyncio.to_thread(self._enter)

    def _enter(self) -> TestApp:
        with ExitStack() as stack:
            home = self._home or Path(stack.enter_context(_own_folder()))
            settings = Settings(home=home.absolute(), grace=_GRACE, **self._settings)
            fake = FakeClock(self._at)
            stack.enter_context(clock.using(fake))
            app = TestApp(self._project, settings, self._cast, fake, self._patience)
            stack.callback(app.close)
            self._stack = stack.pop_all()
        return app

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._stack.close)
        if error is None:
            self._cast.raise_mistakes()
            return
        for mistake in self._cast.mistakes:
            if error is not mistake:
                error.add_note(f"In this test: {type(mistake).__name__}: {mistake}")

    def run(self, recipe: Recipe[P, R], /, *args: P.args, **input: P.kwargs) -> R:
        """Open the project, run a recipe, close it: for tests that are no coroutines.

        Raises JobFailed when the job did not succeed.
        """

        async def run() -> R:
            async with self as app:
                return await app.run(recipe, *args, **input)

        return asyncio.run(run())


def opened(
    project: Project,
    *,
    models: Mapping[str, AnyModel] | None = None,
    model: str | Model | Playbook | None = None,
    live_models: bool = False,
    home: str | Path | None = None,
    at: datetime | None = None,
    triggers: bool = False,
    patience: float = 5.0,
    park_after: float = _STAYS_IN_MEMORY,
) -> Opening:
    """The project, executing its jobs for one test: `async with testing.opened(project) as app`.

    `models` says who plays which genie, by name, and `model` who plays all others. A genie that is
    left with a model of a provider's fails its tasks with LiveModelRefused, and LAMPWORK_MODEL
    counts for nothing, unless `live_models` is True. Such a mistake of the test is raised where a
    result is awaited, or at the end of the block, whatever the project made of the failure.

    Its state is in a folder of its own, which is deleted at the end; the folder `home` is kept, so
    that the project can be opened there again. `triggers` lets the project's triggers fire.
    Jobs that only wait stay in memory; with `park_after=0` they are parked at once.

    The clock of its jobs stands still, at first at `at`, or now: `await app.clock.advance(hours=3)`
    moves it. Who awaits a job that only waits gets StillWaiting after `patience` seconds.

    Raises GenieNotFound, InputInvalid; when it is entered, FolderInUse, FolderNotWritable,
    DatabaseTooNew.
    """
    cast = TestCast(project, models or {}, model, live=live_models)
    folder = None if home is None else Path(home)
    settings = {"park_after": park_after, "triggers": triggers}
    return Opening(project, folder, cast, at=at, patience=patience, **settings)


def _own_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="lampwork-test-", ignore_cleanup_errors=True)
