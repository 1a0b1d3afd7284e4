"""SIGKILL anywhere in `lampwork prune`: the next run finishes it, and what stays is not hurt."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.integrity import dangling, stray_records

from lampwork.failpoint import POINTS_OF_PRUNING

PRUNABLE = Path(__file__).with_name("prunable.py")


@pytest.fixture
def home(aged: Path) -> Path:
    return aged


def prune(home: Path, failpoints: str = "", *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lampwork", "prune", "--yes", "--json", "--home", home, *words],
        env={**os.environ, "LAMPWORK_FAILPOINTS": failpoints},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def roots(home: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        query = "select callable, ended_at > 0 from jobs where id = root_id order by callable"
        return connection.execute(query).fetchall()


def conversations(home: Path) -> int:
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        return connection.execute("select count(*) from conversations").fetchone()[0]


STAY = [("patient", None), ("patient", None)]
"""Those that wait. The conversations that they are to continue stay with them."""


KILLS = [
    *((point, 1) for point in POINTS_OF_PRUNING),
    *((point, nth) for point in ("store.before_commit", "store.after_commit") for nth in (1, 2, 3)),
]


@pytest.mark.parametrize(("name", "nth"), KILLS)
def test_a_pruning_that_was_killed_is_finished_by_the_next(name: str, nth: int, home: Path) -> None:
    killed = prune(home, f"{name}=kill@{nth}")
    assert killed.returncode == -signal.SIGKILL, f"prune never comes to {name}: {killed.stderr}"
    assert set(STAY) <= set(roots(home))

    done = prune(home)

    assert done.returncode == 0, done.stderr
    assert roots(home) == STAY
    assert dangling(home) == {}
    assert stray_records(home) == set()
    went_on = subprocess.run(
        [sys.executable, PRUNABLE, home, "go-on"], capture_output=True, text=True, timeout=50
    )
    assert went_on.returncode == 0, went_on.stderr


def test_beside_a_worker_nothing_is_in_the_way_and_the_space_stays_in_the_files(home: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "lampwork", "worker", PRUNABLE, "--home", home, "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline()
        done = json.loads(prune(home).stdout)
    finally:
        worker.terminate()
        worker.communicate(timeout=90)
    assert worker.returncode == 0
    assert done["deleted"]["trees"] == 8
    assert done["deleted"]["bytes"] > 400_000
    assert done["space"] == {"given_back": 0, "kept": "a worker executes here"}
    assert roots(home) == STAY
    assert conversations(home) == 2
    assert dangling(home) == {}

    again = json.loads(prune(home).stdout)

    assert again["deleted"]["jobs"] == 0
    assert again["space"]["given_back"] > 400_000
    assert again["space"]["kept"] is None
