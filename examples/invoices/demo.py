"""The invoice story with its worker killed in the middle: `./scripts/demo [--model ID]`.

The accounting service holds back its third answer, so that the kill falls between an effect and
its recorded result. All that is shown is read from the service's books and from Lampwork's records,
which stay in a folder to look at. The exit code is 1 if an invoice was not handled exactly once.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from invoices import demo_output as shown
from lampwork import Model
from lampwork.errors import LampworkError
from lampwork.insights import Insights
from lampwork.models import resolve
from lampwork.place import Folder
from lampwork.views import ConversationDetails, JobView

LAMPWORK = Path(sys.executable).with_name("lampwork")
PROJECT = Path(__file__).with_name("project.py")
HOME = Path(__file__).parents[2] / ".lampwork-demo"
RECIPE = "review_pending_invoices"
PATIENCE = 60.0
"""Seconds in which a script has decided; a model gets five times as long."""

ENDED = ("succeeded", "failed", "cancelled", "needs_attention")


class Stuck(Exception):
    """The story can't go on."""


def main() -> int:
    options = argparse.ArgumentParser(prog="./scripts/demo", description=__doc__)
    options.add_argument("--model", metavar="ID", help="such as openai:gpt-5.2; else a script")
    options.add_argument("--home", type=Path, default=HOME, help="the folder that is kept")
    chosen = options.parse_args()
    if chosen.model:
        os.environ["LAMPWORK_MODEL"] = chosen.model
    model = os.environ.get("LAMPWORK_MODEL")
    try:
        if model:
            resolve(Model(model)).check()
        with folder(chosen.home.resolve()) as home:
            return tell(home, model)
    except (LampworkError, Stuck) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nStopped. What there is stays in {chosen.home}.", file=sys.stderr)
        return 130


def tell(home: Path, model: str | None) -> int:
    """The story; its exit code."""
    patience = PATIENCE * (5 if model else 1)
    shown.begin(model)
    os.environ["LAMPWORK_HOME"] = str(home)
    books = ["--port", "0", "--books", str(home / "books.db"), "--hold-after", "3"]
    began = time.monotonic()
    with process(sys.executable, "-m", "invoices.accounting", *books) as service:
        os.environ["ACCOUNTING_URL"] = url = said(service, patience)["url"]
        # Or a quarter of an hour may strike in the middle of it.
        paused = ("trigger", RECIPE, "pause", "--why", "started by hand")
        lampwork(*paused, "--project", str(PROJECT))
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            job_id = lampwork("run", str(PROJECT), RECIPE)["job_id"]
            shown.event("assigned", f"job {job_id}: a task for each of six invoices, four at once")
            cut = kill_in_the_middle(service, client, home, job_id, patience)
            status = go_on(home, job_id, patience)
            done = client.get("/effects").json()
    took = time.monotonic() - began
    conversations = asyncio.run(read_conversations(home))
    shown.event(status, f"job {job_id}, {took:.0f} s after the demonstration began")
    shown.effects(done, cut)
    shown.metadata(conversations)
    shown.cost(conversations, model)
    task_id = cut.rsplit(".", 2)[0]
    shown.commands(LAMPWORK, home, job_id, "c" + task_id[1:])
    return shown.verdict(done, status, scripted=model is None)


def kill_in_the_middle(
    service: subprocess.Popen[str],
    client: httpx.Client,
    home: Path,
    job_id: str,
    patience: float,
) -> str:
    """Kill a worker between an effect and its record; returns the effect's key."""
    with process(str(LAMPWORK), "worker", str(PROJECT)) as worker:

        def check() -> None:
            if worker.poll() is not None:
                raise Stuck(f"The worker ended by itself; {home / 'processes.log'} says why.")
            if (status := asyncio.run(view(home, job_id)).status) in ENDED:
                raise Stuck(
                    f"The job ended ({status}) before three decisions were taken. "
                    f"Look at it: {shown.command(LAMPWORK, home, 'job', job_id)}"
                )

        held = said(service, patience, check)["held"]
        at_kill = client.get("/effects").json()["effects"]
        worker.kill()
        worker.wait()
    client.post("/release")
    shown.event(
        "SIGKILL", f"worker {worker.pid} is dead (kill -9). Of six invoices the service has"
    )
    shown.event(
        "", f"{len(at_kill)} decided; of the last, {held['invoice']}, the worker never heard"
    )
    return held["key"]


def go_on(home: Path, job_id: str, patience: float) -> str:
    """Start another worker and wait for the job's end; its status."""
    with process(str(LAMPWORK), "worker", str(PROJECT)) as worker:
        shown.event("resumed", f"worker {worker.pid} goes on from what is on disk")
        until = time.monotonic() + patience
        with shown.waiting("the second worker works …"):
            while (status := asyncio.run(view(home, job_id)).status) not in ENDED:
                if worker.poll() is not None or time.monotonic() > until:
                    break
                time.sleep(0.2)
    return status


async def view(home: Path, job_id: str) -> JobView:
    async with Insights.opened(Folder(home)) as insights:
        return await insights.view(job_id)


async def read_conversations(home: Path) -> list[ConversationDetails]:
    """All that the genie was told, said and did."""
    async with Insights.opened(Folder(home)) as insights:
        page = await insights.conversations()
        return [await insights.conversation(each.conversation_id) for each in page.items]


# --- the folder and the processes ---


@contextmanager
def folder(home: Path) -> Generator[Path]:
    """An empty folder, which nobody else uses meanwhile; what an earlier run left there goes."""
    home.mkdir(parents=True, exist_ok=True)
    strangers = [path for path in home.iterdir() if path.name not in OURS]
    if strangers:
        raise Stuck(f"{home} holds something else ({strangers[0].name}). Give another --home.")
    with (home / "demo").open("a") as ours, (home / "lock").open("a") as workers:
        try:
            fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stuck(f"A demonstration or a worker runs in {home}. Stop it first.") from None
        for path in home.iterdir():
            if path.name not in ("demo", "lock"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        workers.close()
        yield home


OURS = {
    "demo",
    "lock",
    "processes.log",
    *(
        f"{name}.db{end}"
        for name in ("books", "engine", "lampwork")
        for end in ("", "-wal", "-shm")
    ),
}
"""What a demonstration leaves behind; a folder with anything else is not emptied."""


@contextmanager
def process(*command: str) -> Generator[subprocess.Popen[str]]:
    """A process that is gone when the block is left."""
    with (
        Path(os.environ["LAMPWORK_HOME"], "processes.log").open("a") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as started,
    ):
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(15)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                started.kill()


def said(
    speaker: subprocess.Popen[str], patience: float, check: Any = lambda: None
) -> dict[str, Any]:
    """The next JSON line that a process prints; `check` is asked once a second until it comes."""
    assert speaker.stdout is not None
    until = time.monotonic() + patience
    with selectors.DefaultSelector() as selector, shown.waiting("the first worker works …"):
        selector.register(speaker.stdout, selectors.EVENT_READ)
        while not selector.select(timeout=1):
            check()
            if time.monotonic() > until:
                raise Stuck(f"Nothing has happened for {patience:.0f} s.")
    if not (line := speaker.stdout.readline()):
        raise Stuck("The accounting service ended by itself.")
    return json.loads(line)


def lampwork(*arguments: str) -> dict[str, Any]:
    """What `lampwork … --json` prints."""
    ran = subprocess.run([LAMPWORK, *arguments, "--json"], stdout=subprocess.PIPE, check=False)
    answer = json.loads(ran.stdout or "{}")
    if ran.returncode:
        raise Stuck(answer.get("error", {}).get("message", f"lampwork {arguments[0]} failed"))
    return answer


if __name__ == "__main__":
    sys.exit(main())
