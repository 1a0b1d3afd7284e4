"""A project, open for one test: its own folder, its own models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, TypeVar

from lampwork.app import App
from lampwork.insights import Insights
from lampwork.models.resolve import Model, Playbook
from lampwork.project import Project
from lampwork.recipe import Recipe
from lampwork.settings import Settings
from lampwork.testing.cast import AnyModel, Cast
from lampwork.testing.request import Request

__all__ = ["Opening", "TestApp", "opened"]

R = TypeVar("R")

_STAYS_IN_MEMORY = 3600.0
_GRACE = 1.0
"""Seconds that running effects get when the test is over."""


class TestApp(App):
    """An open project in a test; `app.requests` is what its models were shown."""

    __test__ = False  # for pytest, which takes classes of this name for tests

    def __init__(self, project: Project, settings: Settings, cast: Cast) -> None:
        """Open everything; blocks. Raises FolderInUse, FolderNotWritable, DatabaseTooNew."""
        super().__init__(project, settings, model_of=cast.model_of)
        self.requests = cast.requests
        """What models were asked, in the order in which they were."""
        self.insights = Insights(self.store)
        """What is on record: `await app.insights.job(id)`, `.conversation(id)`, as the CLI shows
        it."""


class Opening(AbstractAsyncContextManager[TestApp]):
    """What `opened` gives: `async with` it, or `run` a recipe without an event loop."""

    def __init__(self, project: Project, home: Path | None, cast: Cast, **settings: Any) -> None:
        self.requests: list[Request] = cast.requests
        """What models were asked, in the order in which they were."""
        self._project, self._home, self._cast, self._settings = project, home, cast, settings
        self._stack = ExitStack()

    async def __aenter__(self) -> TestApp:
        return await asyncio.to_thread(self._enter)

    def _enter(self) -> TestApp:
        with ExitStack() as stack:
            home = self._home or Path(stack.enter_context(_own_folder()))
            settings = Settings(home=home.absolute(), grace=_GRACE, **self._settings)
            app = TestApp(self._project, settings, self._cast)
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

    def run(self, recipe: Recipe[..., R], /, **input: Any) -> R:
        """Open the project, run a recipe, close it: for tests that are no coroutines.

        Raises JobFailed when the job did not succeed.
        """

        async def run() -> R:
            async with self as app:
                return await app.run(recipe, **input)

        return asyncio.run(run())


def opened(
    project: Project,
    *,
    models: Mapping[str, AnyModel] | None = None,
    model: str | Model | Playbook | None = None,
    live_models: bool = False,
    home: str | Path | None = None,
    triggers: bool = False,
    park_after: float = _STAYS_IN_MEMORY,
) -> Opening:
    """The project, executing its jobs for one test: `async with testing.opened(project) as app`.

    `models` says who plays which genie, by name, and `model` who plays all others. A genie that is
    left with a model of a provider's fails its tasks with LiveModelRefused, and LAMPWORK_MODEL
    counts for nothing, unless `live_models` is True.

    Its state is in a folder of its own, which is deleted at the end; the folder `home` is kept, so
    that the project can be opened there again. `triggers` lets the project's triggers fire.
    Jobs that only wait stay in memory; with `park_after=0` they are parked at once.

    Raises GenieNotFound; when it is entered, FolderInUse, FolderNotWritable, DatabaseTooNew.
    """
    cast = Cast(project, models or {}, model, live=live_models)
    folder = None if home is None else Path(home)
    return Opening(project, folder, cast, park_after=park_after, triggers=triggers)


def _own_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="lampwork-test-", ignore_cleanup_errors=True)
