"""A home that is no folder, can't be read, or is empty: said, and left as it is."""

from __future__ import annotations

from typing import Any

import pytest

VERBS = [
    ("jobs",),
    ("job", "j0"),
    ("conversation", "c0"),
    ("genies",),
    ("triggers",),
    ("upgrade-check",),
    ("run", "asks"),
    ("worker",),
    ("genie", "finance", "pause"),
]


@pytest.mark.parametrize("words", VERBS)
def test_a_home_that_is_a_file_is_refused(lampwork: Any, words: tuple[str, ...]) -> None:
    (lampwork.folder / "file").write_text("mine")

    refused = lampwork(*words, "--json", LAMPWORK_HOME="file")

    assert (refused.code, refused.json["error"]["code"]) == (2, "usage")
    assert f"LAMPWORK_HOME: {lampwork.folder / 'file'} is no folder." in refused.out
    assert (lampwork.folder / "file").read_text() == "mine"


def test_verbs_that_only_look_make_nothing_in_an_empty_home(lampwork: Any) -> None:
    home = lampwork.folder / "empty"
    home.mkdir()

    for words in (("jobs",), ("conversations",), ("genies",), ("triggers",), ("upgrade-check",)):
        assert lampwork(*words, "--home", "empty").code == 0
    assert lampwork("job", "j0", "--home", "empty").code == 2
    assert list(home.iterdir()) == []


def test_a_home_below_a_file_has_nothing_to_show(lampwork: Any) -> None:
    (lampwork.folder / "file").touch()

    refused = lampwork("jobs", LAMPWORK_HOME="file/state")

    assert refused.code == 2
    assert f"{lampwork.folder / 'file'} is no folder." in refused.err


def test_a_database_that_is_none_is_said(lampwork: Any) -> None:
    (lampwork.folder / "junk").mkdir()
    (lampwork.folder / "junk" / "lampwork.db").write_text("junk")

    refused = lampwork("jobs", "--home", "junk")

    assert (refused.code, refused.out) == (1, "")
    [line] = refused.err.splitlines()
    assert line.startswith("Error: ")
    assert "file is not a database" in line


@pytest.mark.parametrize(
    "words", [("--home", "", "jobs"), ("jobs", "--db="), ("job", "--db=", "j0")]
)
def test_a_place_that_is_named_by_nothing_is_refused(lampwork: Any, words: tuple[str, ...]) -> None:
    refused = lampwork(*words)

    assert refused.code == 2
    assert "this is empty, as a variable is that was not set." in refused.err


def test_a_place_stands_before_a_thing_or_behind_it(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks", "--home", "state")

    for words in (
        ("--home=state", "job", job_id),
        ("job", "--home", "state", job_id),
        ("job", "--home=state", "--json", job_id),
        ("job", job_id, "--home=state"),
    ):
        assert job_id in lampwork(*words).out
