"""The live tree: what goes on is always to be seen, and what it has cost."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest

from lampwork.cli.screen.live import fitted
from lampwork.cli.screen.tree import Line, plain

PROJECT = """
from lampwork import Answer, Job, Project, playbook

project = Project("many")
genie = project.genie(
    "sorter", model=playbook(lambda turn: Answer("sorted")), job_description="You sort."
)


async def one(job: Job, number: int) -> str:
    if number == 7:
        raise ValueError("seven is unlucky")
    if number < 12:
        return (await job.assign_task(genie, f"Sort {number}.")).response
    return await job.wait_for("go", str)


@project.recipe()
async def many(job: Job) -> int:
    await job.assign_task(genie, "Begin.")
    found = await job.map(one, range(30), on_error="collect")
    return len(found)


@project.recipe()
async def few(job: Job) -> str:
    return (await job.assign_task(genie, "Sort it.")).response
"""


@pytest.fixture
def many(lampwork: Any) -> Any:
    """`lampwork`, in the folder of a project with a recipe of many items."""
    (lampwork.folder / "project.py").write_text(PROJECT)
    return lampwork


def test_a_large_tree_stays_within_the_terminal_and_shows_what_goes_on(many: Any) -> None:
    terminal = many.on_terminal("run", "many", "--wait", lines=14)
    terminal.until_all("12 of 30 ended  1 failed", "wait_for go")
    [root] = many.json("jobs", "--roots")["items"]
    many.job(root["job_id"], "suspended")  # once the last item that could begin waits
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.ended() == 130
    text = terminal.shown
    ups = [match[0].count("\x1b[1A") for match in re.finditer("(?:\x1b\\[1A\x1b\\[2K)+", text)]
    assert 0 < max(ups) <= 14 - 4
    last = re.sub("\x1b\\[[\\d;]*m", "", text.split("\x1b[2K")[-1])
    assert re.match(r"… j\w+  many  suspended  [\d.]+ m?s  12 requests", last), last
    assert "✗ .2.7  one  failed" in last
    assert "one raised ValueError" in last
    assert "wait_for go  waiting" in last
    assert re.search(r"· \d+ more ended, \d+ to come", last)
    assert "is kept, and goes on with a worker: lampwork worker" in last


def test_at_its_end_a_job_says_what_it_has_used(many: Any) -> None:
    shown = many.terminal("run", "few", "--wait")
    assert re.search(r"Job j\w+ succeeded in [\d.]+ m?s\. It used 1 request\.\nsorted\n$", shown)

    assert many.json("run", "few", "--wait")["usage"]["requests"] == 1


def test_a_dumb_terminal_gets_plain_lines(many: Any) -> None:
    shown = many.terminal("run", "few", "--wait", TERM="dumb")

    assert "\x1b" not in shown
    first, last, answer = shown.splitlines()
    assert first.startswith("Job j")
    assert first.endswith(f"is on disk: lampwork job {first.split()[1]}")
    assert " succeeded in " in last
    assert answer == "sorted"


def test_without_colours_there_are_none(many: Any) -> None:
    shown = many.terminal("run", "few", "--wait", NO_COLOR="1")

    assert not re.search(r"\x1b\[[\d;]*[34]\d", shown)


def test_a_terminal_of_another_locale_gets_signs_that_it_has(many: Any) -> None:
    shown = many.terminal("run", "few", "--wait", PYTHONIOENCODING="latin-1")

    assert shown.isascii()
    assert "  few  succeeded" in shown.rpartition("+ j")[2]


# --- made to fit ---


def job(name: str, status: str, *below: Line) -> Line:
    return Line(status, name, list(below))


def test_what_fits_stays_as_it_is() -> None:
    tree = job("root", "running", job("a", "ok", job("below a", "ok")), job("b", "running"))

    assert fitted(tree, 4) == tree


def test_what_has_ended_is_folded_first_and_faults_last() -> None:
    ended = [job(f"ended {n}", "ok", job("deep", "ok")) for n in range(10)]
    failed = job("failed", "failed", job("why", "failed"))
    tree = job("root", "running", *ended, failed, job("goes on", "running", job("step", "running")))

    assert list(plain(fitted(tree, 8))) == [
        "● root",
        "  ✓ 10 that ended",
        "  ✗ failed",
        "    ✗ why",
        "  ● goes on",
        "    ● step",
    ]
    assert list(plain(fitted(tree, 15)))[1:3] == ["  ✓ ended 0", "  ✓ ended 1"]


def test_of_too_many_that_go_on_the_first_are_shown_and_the_rest_counted() -> None:
    going = [job(f"item {n}", "running", job("step", "running")) for n in range(20)]
    tree = job("root", "running", *going, Line("queued", "7 to come", stands_for_others=True))

    assert list(plain(fitted(tree, 8))) == [
        "● root",
        "  ● item 0",
        "    ● step",
        "  ● item 1",
        "    ● step",
        "  ● and 18 more like this",
        "  · 7 to come",
    ]
    assert fitted(tree, 3).count == 3
    assert fitted(tree, 1).count == 1
