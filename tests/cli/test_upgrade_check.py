"""`lampwork upgrade-check`: in a child process, on a copy, while a worker goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any


def edit(lampwork: Any, old: str, new: str) -> None:
    file = lampwork.folder / "project.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def waiting(lampwork: Any, *recipes: str) -> list[str]:
    """Jobs that wait, beside a worker that goes on."""
    jobs = [lampwork.queue("run", recipe) for recipe in recipes]
    lampwork.worker()
    for job_id in jobs:
        lampwork.job(job_id, "suspended")
    for job_id, recipe in zip(jobs, recipes, strict=True):
        if recipe == "calls_asks":  # it waits as soon as the one below it is to begin
            lampwork.job(f"{job_id}.1", "suspended")
    return jobs


def test_a_changed_project_is_checked_while_its_worker_goes_on(lampwork: Any) -> None:
    asks, calls_asks = waiting(lampwork, "asks", "calls_asks")
    effects = lampwork.effects()
    home = lampwork.folder / ".lampwork"
    edit(lampwork, "project = Project", "# A comment.\nproject = Project")

    fine = lampwork("upgrade-check")

    assert fine.code == 0
    assert fine.out.startswith("shop has 3 unfinished jobs. All go on with the code as it is now.")
    assert "what its code does after that was not rehearsed" in fine.out

    edit(lampwork, 'job.wait_for("go", str)', 'job.wait_for("other", str)')
    found = lampwork("upgrade-check", "--json")

    assert found.code == 1
    items = {each["job_id"]: each for each in found.json["items"]}
    assert items.keys() == {asks, f"{calls_asks}.1"}
    assert (items[asks]["call"], items[asks]["goes_on"], items[asks]["notes"]) == (2, False, [])
    assert "is `wait_for other` now, but was begun as `wait_for go`" in items[asks]["why"]
    assert found.json["unfinished"] == 3
    people = lampwork("upgrade-check", "project.py").out
    assert f"\n{asks}  asks  suspended at call 2\n" in people
    # Nothing has happened, and the worker has not noticed.
    assert lampwork.effects() == effects
    assert lampwork.json("job", asks)["status"] == "suspended"
    with closing(sqlite3.connect(home / "lampwork.db")) as database:
        stopped = database.execute("select id from jobs where attention not null").fetchall()
    assert stopped == []


def test_code_that_never_comes_back_or_ends_the_process_is_named(lampwork: Any) -> None:
    asks, holds, calls_asks = waiting(lampwork, "asks", "holds_on", "calls_asks")
    edit(
        lampwork,
        "async def asks(job: Job) -> str:",
        "async def asks(job: Job) -> str:\n    block()",
    )
    edit(
        lampwork,
        "async def holds_on(job: Job) -> str:",
        "async def holds_on(job: Job) -> str:\n    end()",
    )
    edit(
        lampwork,
        "@project.recipe()\nasync def add(",
        "import time\n\n\ndef block() -> None:\n    time.sleep(600)\n\n\n"
        "def end() -> None:\n    os._exit(7)\n\n\n@project.recipe()\nasync def add(",
    )

    found = lampwork("upgrade-check", "--json", "--timeout", "5")

    items = {each["job_id"]: each for each in found.json["items"]}
    assert found.json["unfinished"] == 4
    assert items.keys() == {asks, holds, f"{calls_asks}.1"}
    assert "within 5 s" in items[asks]["why"]
    assert "ended the process that rehearsed it, with exit code 7" in items[holds]["why"]


def test_a_project_that_cannot_be_imported_says_why(lampwork: Any) -> None:
    lampwork.queue("run", "asks")
    edit(lampwork, "project = Project", "import nonsense_of_ours\nproject = Project")
    done = lampwork("upgrade-check")
    assert (done.code, "nonsense_of_ours" in done.err) == (1, True)
    as_json = lampwork("upgrade-check", "--json")
    assert as_json.json["error"]["code"] == "project_broken"
    assert lampwork("upgrade-check", "nowhere.py").code == 2


def test_where_nothing_was_written_nothing_is_made(lampwork: Any) -> None:
    done = lampwork("upgrade-check")
    assert (done.code, done.out) == (0, "shop has no unfinished jobs.\n")
    assert not (lampwork.folder / ".lampwork").exists()
