"""How these pages open a project: in a folder of the test's own, parking at once when asked."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lampwork import App, Project, Settings

Open = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture
def db() -> Iterator[str | None]:
    server = os.environ.get("LAMPWORK_TEST_PG")
    if server is None:
        yield None
        return
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template lamptemplate")
        yield f"{server}/{name}"
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def opened(tmp_path: Path, db: str | None) -> Open:
    """`async with opened(project, park_after=0.0) as app`: the same folder each time in a test."""

    def open(project: Project, **settings: Any) -> AbstractAsyncContextManager[App]:
        return project.open(settings=Settings(home=tmp_path / "state", db=db, **settings))

    return open
