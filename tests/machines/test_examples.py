"""The examples that Hypothesis tries are the same, whatever the tests before have done."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st


def tried() -> list[tuple[str, int]]:
    """The examples of a test."""
    examples: list[tuple[str, int]] = []

    @given(st.text(), st.integers())
    def keep(text: str, number: int) -> None:
        examples.append((text, number))

    keep()
    return examples


def test_examples_hold_nothing_of_modules_that_were_imported_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tried()
    lines = [f'TEXT_{number} = "constant {number}"' for number in range(400)]
    (tmp_path / "with_constants.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("with_constants")

    after = tried()

    del sys.modules["with_constants"]
    assert after == before
