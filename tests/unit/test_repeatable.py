"""Tests that draw their examples draw the same ones in each run, whatever ran before them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def drawn() -> list[Any]:
    found: list[Any] = []

    @settings(max_examples=100)
    @given(st.text(), st.integers())
    def draws(text: str, number: int) -> None:
        found.append((text, number))

    draws()
    return found


def test_examples_are_the_same_whatever_has_been_imported_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = drawn()
    file = tmp_path / "constants.py"
    file.write_text(f"CONSTANTS = {[*range(1000, 1200), *map(str, range(1000, 1200))]}")
    spec = importlib.util.spec_from_file_location("constants_of_ours", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "constants_of_ours", module)
    spec.loader.exec_module(module)

    assert drawn() == before
