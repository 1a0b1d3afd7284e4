"""The benchmarks run: what they find is no matter of a test."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import kill, recipe, runs
from benchmarks.__main__ import NAMES
from benchmarks.systems import Place
from benchmarks.work import FAN_TURNS, MODEL_SECONDS, SYSTEMS


@pytest.mark.parametrize("name", NAMES)
def test_each_takes_the_options_that_make_it_quick(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    parser = argparse.ArgumentParser()
    module.add_options(parser)
    assert parser.parse_args(module.QUICK)


def test_a_system_that_keeps_its_state_itself_is_measured_once() -> None:
    all_of_them = recipe.contenders(list(SYSTEMS), ["sqlite", "postgres"])
    assert [it for it in all_of_them if it[0] in ("lampwork", *recipe.OF_ITS_OWN)] == [
        ("lampwork", "sqlite"),
        ("lampwork", "postgres"),
        ("pydantic_ai_restate", "own"),
        ("restate", "own"),
    ]


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_has_its_module(name: str) -> None:
    module = importlib.util.find_spec(f"benchmarks.systems.{name}")
    assert module
    assert module.origin
    source = Path(module.origin).read_text()
    assert "\nPACKAGES = (" in source
    assert "def opened(place: Place)" in source


def test_recipes_are_timed_and_their_results_compared(tmp_path: Path) -> None:
    place = Place(tmp_path, None)
    command = ["benchmarks.throughput", "lampwork", *place.words, "1", "2", "2"]
    said = subprocess.check_output([sys.executable, "-m", *command], cwd=runs.ROOT, text=True)
    figures = json.loads(said)
    assert figures["serial"]["per_second"] > 0
    assert figures["durability"] == "SQLite wal, synchronous=FULL"


def test_jobs_that_were_killed_in_a_skill_call_are_counted(tmp_path: Path) -> None:
    figures = kill.killed(Place(tmp_path, None), 3)
    assert (figures.lost, figures.two_keys) == (0, 0)
    assert 0 < figures.first_s <= figures.all_s


def test_plans_in_levels_are_timed(tmp_path: Path) -> None:
    command = ["benchmarks.levels", *Place(tmp_path, None).words, "1", "1", "2"]
    said = subprocess.check_output([sys.executable, "-m", *command], cwd=runs.ROOT, text=True)
    [[seconds, critical_path]] = json.loads(said)
    assert 2 * FAN_TURNS * MODEL_SECONDS < critical_path < seconds
