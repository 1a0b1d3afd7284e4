"""SIGKILL anywhere in `lampwork erase`: typed again it goes on, and nothing is left."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.behind import holding, place_at
from tests.crash.conftest import Run
from tests.crash.prunable import CANARY
from tests.integrity import dangling, stray_records

from lampwork.failpoint import POINTS_OF_ERASING

LAMPWORK = ("-m", "lampwork")
ERASE = (*LAMPWORK, "erase", f"--metadata=invoice={CANARY}-1", "--json")

COMMITS = ("store.before_commit", "store.after_commit")
AT_BOTH = {("erase.removed", 1), ("erase.scrubbed", 1), ("prune.swept", 1), (COMMITS[0], 2)}
KILLS = [
    pytest.param(point, nth, marks=() if (point, nth) in AT_BOTH else pytest.mark.folder)
    for point, nth in (
        *((point, 1) for point in POINTS_OF_ERASING),
        ("prune.swept", 2),
        *((point, nth) for point in COMMITS for nth in (1, 2, 4)),
    )
]


@pytest.mark.parametrize(("name", "nth"), KILLS)
def test_an_erasure_that_was_killed_goes_on_when_it_is_typed_again(
    name: str, nth: int, run: Run, aged: Path
) -> None:
    assert len(holding(aged, CANARY)) >= 2
    found = json.loads(run(*ERASE, "--dry-run", home=aged).stdout)["would_erase"]
    assert found["amount"]["trees"] == 3

    killed = run(*ERASE, "--yes", home=aged, failpoints=f"{name}=kill@{nth}")
    assert killed.returncode == -signal.SIGKILL, f"erase never comes to {name}: {killed.stderr}"
    done = run(*ERASE, "--yes", home=aged)

    assert done.returncode == 0, done.stderr
    assert holding(aged, CANARY) == []
    assert dangling(place_at(aged)) == {}
    assert stray_records(place_at(aged)) == set()
    for root in found["jobs"]:
        tombstone = json.loads(run(*LAMPWORK, "job", root, "--json", home=aged).stdout)
        assert tombstone["status"] in ("succeeded", "failed")
        assert tombstone["erased_at"] is not None
