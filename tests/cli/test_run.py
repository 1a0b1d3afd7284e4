"""`lampwork run`: queued for a worker, or seen through."""

from __future__ import annotations

import os
import signal
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lampwork.cli.ended import say_ended
from lampwork.cli.options import Options
from lampwork.views import JobDetails


def test_without_wait_the_job_is_on_disk_until_a_worker_executes_it(lampwork: Any) -> None:
    queued = lampwork.json("run", "add", "--input", '{"a": 1}')

    assert (queued["status"], queued["output"]) == ("queued", None)
    assert lampwork.json("jobs")["items"][0]["status"] == "queued"

    lampwork.worker()
    assert lampwork.job(queued["job_id"], "succeeded")["output"] == 3


def test_a_skill_that_was_withheld_or_asked_for_in_vain_is_named(lampwork: Any) -> None:
    source = lampwork.folder / "project.py"
    source.write_text(
        source.read_text()
        + """

@project.recipe()
async def forgets(job: Job) -> str:
    return (await job.assign_task(finance, "Check it.")).response
"""
    )
    done = lampwork("run", "forgets", "--wait")
    job_id = lampwork.json("jobs")["items"][0]["job_id"]
    page = lampwork("job", job_id).out

    withheld = 'the task has no metadata "invoice_id"'
    assert f"withheld: approve_invoice ({withheld})" in done.err
    assert 'not run: approve_invoice: There is no skill "approve_invoice"' in done.err
    assert f"withheld: approve_invoice, because {withheld}" in page
    assert "✗ approve_invoice(" in page


def test_people_are_told_the_job_and_how_it_gets_executed(lampwork: Any) -> None:
    done = lampwork("run", "add", "--input", '{"a": 1}', "--home", "state")

    assert (done.code, done.err) == (0, "")
    job_id = lampwork.json("jobs", "--home", "state")["items"][0]["job_id"]
    assert done.out.splitlines() == [
        f"Queued job {job_id}.",
        "A worker executes it: lampwork worker --home state",
        f"Look at it: lampwork job {job_id} --home state",
    ]


def test_with_wait_it_is_executed_here_when_no_worker_does(lampwork: Any) -> None:
    done = lampwork("run", "add", "--input", '{"a": 1, "b": 5}', "--wait", "--json")

    assert (done.code, done.json["status"], done.json["output"]) == (0, "succeeded", 6)
    assert "a recipe may print" in done.err, "its own output stays out of the JSON"


def test_where_another_projects_worker_runs_it_is_not_said_to_execute(lampwork: Any) -> None:
    lampwork.other_project()
    other = lampwork.worker("other.py")
    instead = (
        f"Process {other.pid} executes the jobs of other here, none of shop. "
        "When it has ended, start a worker of shop: lampwork worker"
    )

    queued = lampwork("run", "asks").out
    assert instead in queued.splitlines()
    assert "executes it" not in queued
    job_id = lampwork.json("jobs")["items"][0]["job_id"]
    assert instead in lampwork("job", job_id, "send", "go", '"yes"').out.splitlines()
    waiting = lampwork.start("run", "asks", "--wait")
    assert waiting.stderr is not None
    assert [waiting.stderr.readline() for _ in range(2)][1] == f"{instead}\n"


def test_with_wait_nothing_but_the_job_and_those_below_it_is_executed_here(lampwork: Any) -> None:
    """What others have queued is theirs: its effects would be cut off when this one has ended."""
    queued = lampwork.queue("run", "asks")

    done = lampwork.json("run", "delegates_where", "--wait")

    assert done["output"] > 0
    assert lampwork.json("job", queued)["status"] == "queued"
    assert lampwork.effects() == []


def test_with_wait_a_job_begins_when_the_one_that_another_waits_for_has_ended(
    lampwork: Any, ended: Any
) -> None:
    os.mkfifo(lampwork.folder / "pipe")
    first = lampwork.start("run", "holds", "--wait")
    lampwork.eventually(lambda: lampwork.effects() == ["held"])
    queued = lampwork("run", "asks")
    assert f"Process {first.pid} executes what it was started for, and nothing else" in queued.out

    second = lampwork.start("run", "where", "--wait", "--json")
    assert second.stderr is not None
    assert f"Process {first.pid} executes what it was started for." in second.stderr.readline()
    (lampwork.folder / "pipe").write_text("let go")

    assert ended(first).code == 0
    assert ended(second).json["output"] == second.pid


def test_with_wait_the_worker_executes_it_where_there_is_one(lampwork: Any) -> None:
    worker = lampwork.worker()

    assert lampwork.json("run", "where", "--wait")["output"] == worker.pid


def test_people_get_the_result_in_plain_lines(lampwork: Any) -> None:
    done = lampwork("run", "add", "--input", '{"a": 1}', "--wait")

    printed, summary, result = done.out.splitlines()
    assert (printed, result) == ("a recipe may print", "3")
    assert summary.startswith("Job j")
    assert " succeeded in " in summary


def test_what_is_told_of_a_job_is_how_long_it_ran(capsys: Any) -> None:
    accepted = datetime(2027, 1, 1, 12, 0, 0, tzinfo=UTC)
    nothing: dict[str, Any] = {each.name: None for each in fields(JobDetails)}
    job = JobDetails(
        **nothing
        | {
            "job_id": "j1",
            "recipe": "add",
            "status": "succeeded",
            "usage": {},
            "calls": (),
            "output": 6,
            "created_at": accepted,
            "started_at": accepted + timedelta(seconds=10),
            "ended_at": accepted + timedelta(seconds=13),
        }
    )

    say_ended(job, Options(None, as_json=False))

    assert capsys.readouterr().out == "Job j1 succeeded in 3.0 s.\n6\n"


def test_a_job_that_fails_exits_with_1_and_says_why(lampwork: Any) -> None:
    done = lampwork("run", "fails", "--wait")
    assert (done.code, done.out) == (1, "")
    assert "failed: recipe fails raised ValueError: the shop is closed" in done.err
    assert "Traceback" not in done.err

    done = lampwork("run", "fails", "--wait", "--json")
    assert (done.code, done.json["status"], done.json["output"]) == (1, "failed", None)
    assert done.json["error"]["code"] == "step_failed"
    assert done.json["error"]["fields"]["error_type"] == "ValueError"


def test_a_worker_that_was_killed_goes_on_where_it_was_and_the_one_who_waits_hears(
    lampwork: Any, ended: Any
) -> None:
    worker = lampwork.worker()
    waiting = lampwork.start("run", "asks", "--wait", "--json")
    job_id = lampwork.eventually(lambda: lampwork.json("jobs")["items"])[0]["job_id"]
    lampwork.job(job_id, "suspended")

    waiting.send_signal(signal.SIGSTOP)  # it would take over before there is another worker
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert lampwork.job(job_id)["status"] == "suspended"
    assert lampwork("job", job_id, "send", "go", '"yes"').code == 0
    lampwork.worker()
    waiting.send_signal(signal.SIGCONT)

    done = ended(waiting)
    assert (done.code, done.json["job_id"], done.json["output"]) == (0, job_id, "yes")
    assert lampwork.effects() == [f"asked by {job_id}", "answered yes"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_wait_keeps_the_job_for_a_worker(
    lampwork: Any, stop: Any, number: int
) -> None:
    waiting = lampwork.start("run", "asks", "--wait")
    job_id = lampwork.eventually(lambda: lampwork.json("jobs")["items"])[0]["job_id"]
    lampwork.job(job_id, "suspended")

    done = stop(waiting, number)
    assert done.code == 130
    assert f"Job {job_id} is kept, and goes on with a worker: lampwork worker" in done.err

    lampwork.worker()
    lampwork("job", job_id, "send", "go", '"late"')
    assert lampwork.job(job_id, "succeeded")["output"] == "late"
    assert lampwork.effects() == [f"asked by {job_id}", "answered late"]


def test_an_interrupted_wait_leaves_the_worker_alone(lampwork: Any, stop: Any) -> None:
    worker = lampwork.worker()
    waiting = lampwork.start("run", "asks", "--wait")
    job_id = lampwork.eventually(lambda: lampwork.json("jobs")["items"])[0]["job_id"]
    lampwork.job(job_id, "suspended")

    done = stop(waiting, signal.SIGINT)

    assert done.code == 130
    assert f"Job {job_id} goes on in process {worker.pid}, which executes it." in done.err
    assert worker.poll() is None


SIGNALS = """
import os
import signal
from lampwork.door import Door

start = Door.start_named


async def start_and_signal(*given, **named):
    job = await start(*given, **named)
    os.kill(os.getpid(), signal.SIGTERM)
    return job


Door.start_named = start_and_signal
"""


def test_a_wait_that_is_interrupted_before_it_has_begun_says_what_becomes_of_the_job(
    lampwork: Any,
) -> None:
    """*The job was on disk, and the process gone without a word of it.*"""
    with (lampwork.folder / "project.py").open("a") as project:
        project.write(SIGNALS)

    done = lampwork("run", "asks", "--wait")

    assert done.code == 130
    [job] = lampwork.json("jobs")["items"]
    kept = f"Job {job['job_id']} is kept, and goes on with a worker: lampwork worker"
    assert kept in done.err


def test_one_who_waits_is_told_what_a_person_can_do(lampwork: Any) -> None:
    waiting = lampwork.start("run", "asks", "--wait")
    assert waiting.stderr is not None

    told = [waiting.stderr.readline() for _ in range(3)]

    job_id = lampwork.json("jobs")["items"][0]["job_id"]
    assert told == [
        f"Job {job_id} is on disk: lampwork job {job_id}\n",
        f'Job {job_id} waits: event "go"\n',
        f"  lampwork job {job_id} send go JSON\n",
    ]


def test_a_terminal_shows_a_live_tree_of_calls_and_waits(lampwork: Any) -> None:
    terminal = lampwork.on_terminal("run", "calls_asks", "--wait", columns=45)
    terminal.until_all("wait_for go", "send go JSON")
    job_id = lampwork.json("jobs", "--roots")["items"][0]["job_id"]
    lampwork("job", f"{job_id}.1", "send", "go", '"hello"')

    assert terminal.ended() == 0
    assert f"lampwork job {job_id}.1 send go JSON" in terminal.shown, "it can be pasted whole"
    last = terminal.shown.rpartition("calls_asks  succeeded")[2]
    assert ".1  asks  succeeded" in last, "the last picture stays"
    assert last.endswith("hello\n")


@pytest.mark.parametrize("named", ["project.py", "project.py:project", "project:project"])
def test_the_project_may_come_first(lampwork: Any, named: str) -> None:
    done = lampwork.json("run", named, "add", "--input", '{"a": 1}', "--wait")

    assert done["output"] == 3


def test_a_file_in_a_package_is_imported_from_the_packages_parent(lampwork: Any) -> None:
    package = lampwork.folder / "company" / "sales"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").write_text("PREFIX = 'dear '")
    (package / "main.py").write_text(
        "from lampwork import Job, Project\n"
        "from company import PREFIX\n"
        "project = Project('sales')\n"
        "@project.recipe()\n"
        "async def greet(job: Job, name: str) -> str:\n"
        "    return PREFIX + name + ' from ' + __name__\n"
    )

    done = lampwork.json(
        "run", "company/sales/main.py", "greet", "--input", '{"name": "Ann"}', "--wait"
    )

    assert done["output"] == "dear Ann from company.sales.main"


def test_lampwork_toml_names_the_project(lampwork: Any) -> None:
    (lampwork.folder / "project.py").rename(lampwork.folder / "shop.py")
    (lampwork.folder / "lampwork.toml").write_text('project = "shop.py"')

    assert lampwork.json("run", "add", "--input", '{"a": 1}', "--wait")["output"] == 3


def test_the_state_is_where_home_says(lampwork: Any, tmp_path: Path) -> None:
    lampwork.json("run", "add", "--input", '{"a": 1}', LAMPWORK_HOME=str(tmp_path / "one"))
    lampwork.json("run", "add", "--input", '{"a": 1}', "--home", str(tmp_path / "two"))

    assert (tmp_path / "one" / "lampwork.db").exists()
    assert (tmp_path / "two" / "lampwork.db").exists()
    assert not (lampwork.folder / ".lampwork").exists()


def test_an_interrupted_wait_says_so_when_the_worker_is_gone(lampwork: Any, stop: Any) -> None:
    worker = lampwork.worker()
    waiting = lampwork.start("run", "asks", "--wait")
    job_id = lampwork.eventually(lambda: lampwork.json("jobs")["items"])[0]["job_id"]
    lampwork.job(job_id, "suspended")
    # It says so once it has found that another process executes.
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith(f"Job {job_id} is on disk")
    waiting.send_signal(signal.SIGSTOP)  # or it takes over, if the signal comes late
    worker.kill()
    worker.wait()
    waiting.send_signal(signal.SIGTERM)

    done = stop(waiting, signal.SIGCONT)

    assert done.code == 130
    assert "in the process that executes it" not in done.err
    assert f"Job {job_id} is kept, and goes on with a worker: lampwork worker\n" in done.err
    assert "Closing" not in done.err


def test_lampwork_toml_is_named_where_it_names_nothing(lampwork: Any) -> None:
    (lampwork.folder / "lampwork.toml").write_text('project = "x.py"')

    assert lampwork("run", "add").err == (
        'Error: There is no file x.py. It is named in lampwork.toml: project = "x.py".\n'
    )
    assert lampwork("run", "x.py", "add").err == "Error: There is no file x.py.\n"
