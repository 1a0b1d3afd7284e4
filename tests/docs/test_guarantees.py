"""Each row of the page of guarantees names tests that are there, and where they make it fail."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
NOT_YET = "not yet"

Row = tuple[str, ...]


def rows_of(heading: str) -> list[Row]:
    """The cells of the rows below a heading."""
    _, _, below = PAGE.partition(f"{heading}\n")
    lines = [line for line in below.split("\n## ")[0].splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines[1:]]


PROMISES = rows_of("# Guarantees")
FAULTS = rows_of("## Faults")


def name_of(row: Row) -> str:
    return row[0][:40]


def named(row: Row) -> list[str]:
    """The tests that a row says check it: `file` or `file::test`."""
    return re.findall(r"`([^`]+)`", row[-1])


def test_both_tables_are_read() -> None:
    assert len(PROMISES) > 30
    assert len(FAULTS) == 29
    assert {len(row) for row in PROMISES} == {3}
    assert {len(row) for row in FAULTS} == {4}


@pytest.mark.parametrize("row", PROMISES + FAULTS, ids=name_of)
def test_a_row_names_tests_that_are_there(row: Row) -> None:
    assert named(row) or row[-1].startswith(NOT_YET), f"what checks this? {row[0]}"
    for each in named(row):
        name, _, test = each.partition("::")
        assert (ROOT / name).is_file(), f"{row[0]}: there is no {name}"
        assert found_in(name, test), f"{row[0]}: no {each}"


@pytest.mark.parametrize("row", FAULTS, ids=name_of)
def test_a_fault_is_made_where_its_row_says(row: Row) -> None:
    places = set[str]()
    for each in named(row):
        name, _, test = each.partition("::")
        places = places.union(*(places_of(name, found) for found in found_in(name, test)))
    assert places == ({"folder", "server"} if row[2] == "both" else {row[2]}), row[0]


# --- where a test runs ---

Test = ast.FunctionDef | ast.AsyncFunctionDef

BOTH = {"place", "aged", "somewhere"}
"""Fixtures that are one place after the other."""

SERVER = {"server", "cluster", "Fleet"}
"""Fixtures that a test of a server alone takes, and the type of one."""


@functools.cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text("utf-8"))


def found_in(name: str, only: str) -> list[Test]:
    """The tests of a file; only that of a name, if it is not empty."""
    tests = [each for each in ast.walk(tree(name)) if isinstance(each, Test)]
    return [t for t in tests if t.name.startswith("test_") and (not only or t.name == only)]


def places_of(name: str, test: Test) -> set[str]:
    marks = {ast.unparse(each) for each in test.decorator_list}
    for each in tree(name).body:
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "pytestmark":
            marks.add(ast.unparse(each.value))
    arguments = [*test.args.args, *test.args.kwonlyargs]
    given = {each.arg for each in arguments}
    given |= {ast.unparse(each.annotation) for each in arguments if each.annotation is not None}
    beside = (ROOT / name).with_name("conftest.py")
    for place in ("folder", "server"):
        if f"pytest.mark.{place}" in marks:
            return {place}
    if "pytest.mark.usefixtures('place')" in marks or given & BOTH:
        return {"folder", "server"}
    if beside.is_file() and "def _at_both_places(place: None)" in beside.read_text("utf-8"):
        return {"folder", "server"}
    return {"server"} if given & SERVER else {"folder"}
