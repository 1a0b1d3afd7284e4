"""SIGKILL anywhere in `lampwork prune`: the next run finishes it, and what stays is not hurt."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.behind import place_at, rows
from tests.crash.conftest import PRUNABLE, Run
from tests.integrity import dangling, stray_records

from lampwork.failpoint import POINTS_OF_PRUNING

PRUNE = ("-m", "lampwork", "prune", "--yes", "--json")


def roots(home: Path) -> list[tuple[Any, ...]]:
    query = "select callable, ended_at > 0 from jobs where id = root_id order by callable"
    return rows(place_at(home), query)


def conversations(home: Path) -> int:
    [(count,)] = rows(place_at(home), "select count(*) from conversations")
    return count


STAY = [("patient", None), ("patient", None)]
"""Those that wait. The conversations that they are to continue stay with them."""


COMMITS = ("store.before_commit", "store.after_commit")
AT_BOTH = {("prune.taken", 1), ("prune.recorded", 1), ("prune.swept", 1), ("store.after_commit", 2)}
KILLS = [
    pytest.param(point, nth, marks=() if (point, nth) in AT_BOTH else pytest.mark.folder)
    for point, nth in (
        *((point, 1) for point in POINTS_OF_PRUNING),
        *((point, nth) for point in COMMITS for nth in (1, 2, 3)),
    )
]


@pytest.mark.parametrize(("name", "nth"), KILLS)
def test_a_pruning_that_was_killed_is_finished_by_the_next(
    name: str, nth: int, run: Run, aged: Path
) -> None:
    killed = run(*PRUNE, home=aged, failpoints=f"{name}=kill@{nth}")
    assert killed.returncode == -signal.SIGKILL, f"prune never comes to {name}: {killed.stderr}"
    assert set(STAY) <= set(roots(aged))

    done = run(*PRUNE, home=aged)

    assert done.returncode == 0, done.stderr
    assert roots(aged) == STAY
    assert dangling(place_at(aged)) == {}
    assert stray_records(place_at(aged)) == set()
    went_on = run(PRUNABLE, str(aged), "go-on", home=aged)
    assert went_on.returncode == 0, went_on.stderr


def test_beside_a_worker_nothing_is_in_the_way_and_the_space_stays_in_the_files(
    run: Run, aged: Path
) -> None:
    worker = run.start("-m", "lampwork", "worker", PRUNABLE, "--json", home=aged)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline()
        done = json.loads(run(*PRUNE, home=aged).stdout)
    finally:
        worker.terminate()
        worker.communicate(timeout=90)
    assert worker.returncode == 0
    assert done["deleted"]["trees"] == 8
    assert roots(aged) == STAY
    assert conversations(aged) == 2
    assert dangling(place_at(aged)) == {}
    again = json.loads(run(*PRUNE, home=aged).stdout)
    assert again["deleted"]["jobs"] == 0
    if "LAMPWORK_DB" in os.environ:  # a server does not tell what its files hold
        return
    assert done["deleted"]["bytes"] > 400_000
    assert done["space"] == {"given_back": 0, "kept": "a worker executes here"}
    assert again["space"]["given_back"] > 400_000
    assert again["space"]["kept"] is None
