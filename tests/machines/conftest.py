"""A ground at each of the two places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.machines.ground import Ground, place_of


@pytest.fixture
def ground(place: None, tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(place_of(tmp_path / "home"))
    yield ground
    ground.close()
