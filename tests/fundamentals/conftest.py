"""How these pages open a project: in a folder of the test's own, parking at once when asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.support import NEVER

from lampwork import App, Project, Settings, clock
from lampwork.testing import FakeClock

Open = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture(autouse=True)
def _at_both_places(place: None) -> None:
    """All of these pages are true of a folder and of a server."""


@pytest.fixture(autouse=True)
def _defined_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test adds to its page's project is gone after it: it runs at two places."""
    found = [each for each in vars(request.module).values() if isinstance(each, Project)]
    before = [{name: dict(of) for name, of in _definitions(each)} for each in found]
    yield
    for project, kept in zip(found, before, strict=True):
        for name, of in _definitions(project):
            of.clear()
            of.update(kept[name])


def _definitions(project: Project) -> list[tuple[str, dict[str, Any]]]:
    return [(name, of) for name, of in vars(project).items() if isinstance(of, dict)]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """`async with opened(project, park_after=0.0) as app`: the same place each time in a test.

    However busy the machine is, nothing is parked that need not be, and no run is over because no
    heartbeat got through.
    """

    def open(project: Project, **given: Any) -> AbstractAsyncContextManager[App]:
        settings: dict[str, Any] = {"park_after": NEVER, "heartbeat": NEVER} | given
        db = os.environ.get("LAMPWORK_DB")
        return project.open(settings=Settings(home=tmp_path / "state", db=db, **settings))

    return open


@pytest.fixture
def stopped() -> Iterator[FakeClock]:
    """The clock of jobs, which stands still.

    `await stopped.advance(hours=1, while_executing=True)` is for their event loop.
    """
    time = FakeClock()
    time.bind(lambda moving: moving, lambda: asyncio.sleep(0))
    with clock.using(time):
        yield time
