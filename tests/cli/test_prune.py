"""`lampwork prune`: what would go is said, and goes when that is wanted."""

from __future__ import annotations

from typing import Any

import pytest

INVOICE = '{"invoice": "I-1"}'


def test_what_would_go_is_said_and_nothing_is_deleted(lampwork: Any) -> None:
    job = lampwork("run", "review", "--input", INVOICE, "--wait", "--json").json["job_id"]

    look = lampwork("prune", "--older-than", "0s", "--dry-run")
    unsure = lampwork("prune", "--older-than", "0s")

    assert look.out.startswith("Would be deleted: 1 job in 1 tree, 1 task, 1 conversation of ")
    assert (unsure.code, unsure.out) == (2, "")
    assert "Add --yes to do it, --dry-run to look." in unsure.err
    assert lampwork("job", job).code == 0
    assert lampwork("prune", "--yes").out.startswith("There was nothing to delete.\n")


def test_it_goes_with_all_that_it_had_and_the_space_with_it(lampwork: Any) -> None:
    job = lampwork("run", "review", "--input", INVOICE, "--wait", "--json").json["job_id"]

    done = lampwork("prune", "--older-than", "0s", "--yes", "--json")

    assert done.code == 0
    deleted = done.json["deleted"]
    assert (deleted["trees"], deleted["jobs"], deleted["conversations"]) == (1, 1, 1)
    assert done.json["space"]["kept"] is None
    assert lampwork("job", job).code == 2
    assert lampwork("conversations", "--json").json["items"] == []
    assert lampwork("run", "review", "--input", INVOICE, "--wait").code == 0


@pytest.mark.parametrize("age", ["soon", "30", "-1d", "1mo"])
def test_an_age_that_is_none_is_bad_usage(lampwork: Any, age: str) -> None:
    done = lampwork("prune", "--older-than", age)

    assert done.code == 2
    assert "is no length of time such as 90d, 12h" in done.err


def test_where_nothing_was_ever_written_there_is_nothing_to_do(lampwork: Any) -> None:
    assert lampwork("prune", "--yes").out == "There was nothing to delete.\n"
    assert lampwork("prune", "--dry-run").out == "There is nothing to delete.\n"
    assert lampwork.json("prune", "--yes")["deleted"]["jobs"] == 0
    assert lampwork.json("prune", "--dry-run")["would_delete"]["jobs"] == 0
