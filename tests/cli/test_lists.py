"""`lampwork jobs` and `lampwork conversations`: pages for programs, tables for people."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

from lampwork.cli import output


def test_where_nothing_was_ever_done_there_is_nothing_and_nothing_is_made(lampwork: Any) -> None:
    assert lampwork.json("jobs") == {"items": [], "next": None}
    assert lampwork.json("conversations") == {"items": [], "next": None}
    assert lampwork("jobs").out == (
        f"No jobs in {lampwork.folder / '.lampwork'}.\nStart one: lampwork run RECIPE\n"
    )
    assert not (lampwork.folder / ".lampwork").exists()


def test_jobs_are_listed_with_what_they_wait_for(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "calls_asks")
    lampwork.worker()
    lampwork.job(f"{job_id}.1", "suspended")
    lampwork.job(job_id, "suspended")

    parent, child = lampwork.json("jobs")["items"]

    assert list(parent) == [
        "job_id",
        "recipe",
        "status",
        "waiting_on",
        "created_at",
        "started_at",
        "ended_at",
        "parent",
        "version",
        "project",
        "cancelling",
        "attention",
        "retry_of",
        "rerun_of",
        "fork_of",
        "erased_at",
        "orchestrator",
        "worker",
    ]
    assert (parent["job_id"], parent["recipe"], parent["parent"]) == (job_id, "calls_asks", None)
    assert (child["job_id"], child["recipe"], child["parent"]) == (f"{job_id}.1", "asks", job_id)
    rows = lampwork("jobs").out.splitlines()
    assert rows[0].split() == ["JOB", "RECIPE", "STATUS", "AGE", "WAITS", "FOR"]
    assert rows[1].endswith(f'job {job_id}.1 (asks) → event "go"')
    assert rows[2].endswith('event "go"')


def test_a_list_is_read_in_pages_and_filtered(lampwork: Any) -> None:
    queued = [lampwork.queue("run", "asks") for _ in range(3)]
    failed = lampwork("run", "fails", "--wait", "--json", "--home", ".lampwork").json["job_id"]

    everything = [job["job_id"] for job in lampwork.json("jobs")["items"]]
    assert everything == [failed, *reversed(queued)]
    first = lampwork.json("jobs", "--limit", "3")
    rest = lampwork.json("jobs", "--limit", "3", "--after", first["next"])
    assert [job["job_id"] for job in first["items"] + rest["items"]] == everything
    assert rest["next"] is None
    assert [job["job_id"] for job in lampwork.json("jobs", "--status", "failed")["items"]] == [
        failed
    ]
    assert len(lampwork.json("jobs", "--recipe", "asks")["items"]) == 3


def test_conversations_are_listed(lampwork: Any) -> None:
    job_id = lampwork.json("run", "review", "--input", '{"invoice": "I-1"}', "--wait")["job_id"]

    [conversation] = lampwork.json("conversations")["items"]

    assert conversation["conversation_id"] == f"c{job_id[1:]}.1"
    assert (conversation["status"], conversation["genies"]) == ("answered", ["finance"])
    assert (conversation["turns"], conversation["skill_calls"]) == (2, 1)
    assert conversation["job"] == job_id
    assert f"c{job_id[1:]}.1  task  finance  answered" in lampwork("conversations").out
    assert lampwork.json("conversations", "--genie", "cashier")["items"] == []


def test_a_reader_that_has_seen_enough_ends_it_quietly(lampwork: Any, ended: Any) -> None:
    lampwork.queue("run", "asks")
    reads, writes = os.pipe()
    os.close(reads)  # before there is anything to be read
    try:
        done = ended(lampwork.start("jobs", "--json", stdout=writes))
    finally:
        os.close(writes)

    assert (done.code, done.err) == (141, "")


def test_on_a_terminal_the_columns_stand_below_each_other(lampwork: Any) -> None:
    for recipe in ("asks", "calls_asks"):
        lampwork.queue("run", recipe)
    lampwork.worker()
    lampwork.eventually(lambda: len(lampwork.json("jobs", "--status", "suspended")["items"]) == 3)
    plain = lampwork("jobs").out.splitlines()

    shown = lampwork.terminal("jobs", columns=200).splitlines()
    narrow = lampwork.terminal("jobs", columns=70).splitlines()

    starts = [[line.index(word) for line in (shown[0], plain[0])] for word in ("STATUS", "WAITS")]
    for line in shown[1:]:
        assert line[starts[0][0] :].startswith("suspended ")
        assert re.match("(event|job) ", line[starts[1][0] :])
    assert [line[: starts[0][0]] for line in shown] == [line[: starts[0][1]] for line in plain]
    assert shown[2].startswith("  j"), "a job below another one is indented"
    assert max(len(line) for line in narrow) == 70
    assert narrow[1].endswith("…")
    start = starts[0][0]
    assert [line[:start] for line in narrow] == [line[:start] for line in shown]


def test_the_next_page_is_asked_for_with_the_same_filters(lampwork: Any) -> None:
    queued = [lampwork.queue("run", "asks") for _ in range(3)]

    *_, more = lampwork("jobs", "--recipe", "asks", "--limit", "2").out.splitlines()
    assert more == f"More: lampwork jobs --recipe asks --limit 2 --after {queued[1]}"
    assert lampwork(*shlex.split(more)[2:]).out.splitlines()[1].startswith(queued[0])


def test_items_of_a_map_that_are_alike_are_folded_for_people(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(
        "from lampwork import Job, Project\n"
        "project = Project('many')\n"
        "async def one(job: Job, number: int) -> int:\n"
        "    return number\n"
        "@project.recipe()\n"
        "async def many(job: Job) -> int:\n"
        "    return len(await job.map(one, range(12)))\n"
    )
    job_id = lampwork.json("run", "many", "--wait")["job_id"]

    _, root, *items, rest = lampwork("jobs").out.splitlines()

    assert root.startswith(f"{job_id} ")
    assert [item.split()[0] for item in items] == [f"{job_id}.1.{n}" for n in range(3)]
    assert rest.split() == ["and", "9", "more", "project:one", "succeeded"]
    assert len(lampwork.json("jobs")["items"]) == 13


def test_numbers_stand_to_the_right(capsys: Any) -> None:
    output.table(("NAME", "COUNT", "NOTE"), [("a", "7", "x"), ("b", "1200", "")])

    assert capsys.readouterr().out.splitlines() == [
        "NAME  COUNT  NOTE",
        "a         7  x",
        "b      1200",
    ]


def test_jobs_of_several_projects_are_told_apart(lampwork: Any) -> None:
    lampwork.queue("run", "asks")
    assert "PROJECT" not in lampwork("jobs").out

    lampwork.other_project()
    lampwork.queue("run", "other.py", "greet")

    columns, other, shop = (line.split() for line in lampwork("jobs").out.splitlines())
    assert columns[:3] == ["JOB", "PROJECT", "RECIPE"]
    assert (other[1:3], shop[1:3]) == (["other", "greet"], ["shop", "asks"])


def test_a_filter_that_nothing_fits_is_named(lampwork: Any) -> None:
    lampwork.queue("run", "asks")
    home = lampwork.folder / ".lampwork"

    for words, none in [
        (("jobs", "--recipe", "nosuch"), 'jobs of recipe "nosuch"'),
        (("jobs", "--status", "failed"), "failed jobs"),
        (("conversations", "--genie", "nosuch"), 'conversations of genie "nosuch"'),
    ]:
        assert lampwork(*words).out == f"No {none} in {home}.\n"


def test_a_list_and_a_page_say_that_nobody_executes(lampwork: Any, stop: Any) -> None:
    job_id = lampwork.queue("run", "asks")
    lacking = "No worker executes the jobs of shop now. Start one: lampwork worker\n"

    assert lampwork("jobs").err == lampwork("job", job_id).err == lacking
    worker = lampwork.worker()
    lampwork.job(job_id, "suspended")
    assert lampwork("jobs").err == lampwork("job", job_id).err == ""

    worker.kill()
    worker.wait()
    assert lampwork("jobs").err == lampwork("job", job_id).err == lacking
    assert lampwork("jobs", "--json").err == ""
    worker = lampwork.worker()
    lampwork("job", job_id, "send", "go", '"yes"')
    lampwork.job(job_id, "succeeded")
    stop(worker)
    assert lampwork("jobs").err == lampwork("job", job_id).err == ""


def test_jobs_stand_below_the_job_that_started_them(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(
        "from lampwork import Job, Project\n"
        "project = Project('deep')\n"
        "@project.recipe()\n"
        "async def leaf(job: Job) -> int:\n"
        "    return 1\n"
        "async def branch(job: Job, number: int) -> int:\n"
        "    return await job.call(leaf)\n"
        "@project.recipe()\n"
        "async def tree(job: Job, wide: int) -> list[int]:\n"
        "    return await job.map(branch, range(wide))\n"
    )
    few = lampwork.json("run", "tree", "--input", '{"wide": 2}', "--wait")["job_id"]
    many = lampwork.json("run", "tree", "--input", '{"wide": 12}', "--wait")["job_id"]

    lines = [re.split(r"(?<=\S)  ", line)[0] for line in lampwork("jobs").out.splitlines()]

    assert lines[1] == many
    assert lines[2:9] == [
        f"  {many}.1.0",
        f"    {many}.1.0.1",
        f"  {many}.1.1",
        f"    {many}.1.1.1",
        f"  {many}.1.2",
        f"    {many}.1.2.1",
        "  and 9 more, with 9 below them",
    ]
    assert lines[9] == few
    assert lines[10:] == [
        f"  {few}.1.0",
        f"    {few}.1.0.1",
        f"  {few}.1.1",
        f"    {few}.1.1.1",
    ]
