"""A ground at each of the two places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.machines.ground import Ground

from lampwork import Settings


@pytest.fixture
def ground(place: None, tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(Settings.load(home=tmp_path / "home").place)
    yield ground
    ground.close()
