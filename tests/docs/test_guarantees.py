"""Each row of the page of guarantees names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
NOT_YET = "not yet"

_ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<expected>[^|]+) \| (?P<checked>[^|]+) \|$", re.M)


def rows_of(heading: str) -> list[tuple[str, str]]:
    """What the rows below a heading are about, and what they say checks it."""
    _, _, below = PAGE.partition(f"{heading}\n")
    section = below.split("\n## ")[0]
    found = [(row["what"], row["checked"]) for row in _ROW.finditer(section)]
    return [each for each in found if each[0] not in ("what", "fault")]


PROMISES = rows_of("# Guarantees")
FAULTS = rows_of("## Faults")


def test_both_tables_are_read() -> None:
    assert len(PROMISES) > 30
    assert len(FAULTS) == 25


@pytest.mark.parametrize(("what", "checked"), PROMISES + FAULTS, ids=lambda each: each[:40])
def test_a_row_names_tests_that_are_there(what: str, checked: str) -> None:
    named = re.findall(r"`([^`]+)`", checked)
    assert named or checked.startswith(NOT_YET), f"what checks this? {what}"
    for each in named:
        name, _, test = each.partition("::")
        file = ROOT / name
        assert file.is_file(), f"{what}: there is no {name}"
        assert not test or f"def {test}(" in file.read_text("utf-8"), f"{what}: no {each}"
