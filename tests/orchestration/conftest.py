"""How these pages open a project: in a folder of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests import support

from lampwork import App, Project

Open = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture
def opened() -> Open:
    """`async with opened(project) as app`: the same place each time in a test."""

    def open(project: Project, **settings: Any) -> AbstractAsyncContextManager[App]:
        return support.opened(project, Path(os.environ["LAMPWORK_HOME"]), **settings)

    return open
