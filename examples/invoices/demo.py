"""The invoice story with its worker killed in the middle: `./scripts/demo`.

The accounting service holds back its third answer, so that the kill falls between an effect and
its recorded result. All that is shown afterwards is read from the service's books and from
`lampwork`. The exit code is 1 if an invoice was not handled exactly once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import httpx
from rich.console import Console

LAMPWORK = str(Path(sys.executable).with_name("lampwork"))
PROJECT = str(Path(__file__).with_name("project.py"))
RECIPE = "review_pending_invoices"
PATIENCE = 60.0
"""Seconds that any one thing may take."""

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="lampwork-demo-") as home:
        os.environ["LAMPWORK_HOME"] = home
        books = ["--port", "0", "--books", str(Path(home) / "books.db"), "--hold-after", "3"]
        with process(sys.executable, "-m", "invoices.accounting", *books) as service:
            os.environ["ACCOUNTING_URL"] = url = said(service)["url"]
            # Or a quarter of an hour may strike in the middle of it.
            lampwork("trigger", RECIPE, "pause", "--project", PROJECT, "--why", "started by hand")
            with httpx.Client(base_url=url, trust_env=False) as client:
                job_id = lampwork("run", PROJECT, RECIPE)["job_id"]
                tell("assigned", f"job {job_id}: review six invoices, four at a time")
                cut = kill_in_the_middle(service, client)
                status = go_on(job_id)
                done = client.get("/effects").json()
        return show(done, status, cut)


def kill_in_the_middle(service: subprocess.Popen[str], client: httpx.Client) -> str:
    """Kill a worker between an effect and its record; returns the effect's key."""
    with process(LAMPWORK, "worker", PROJECT) as worker:
        held = said(service)["held"]
        at_kill = client.get("/effects").json()["effects"]
        worker.kill()
        worker.wait()
    client.post("/release")
    tell("SIGKILL", f"worker {worker.pid} is dead: {len(at_kill)} of 6 invoices handled, the last")
    tell("", f"one, {held['invoice']}, without the worker having heard of it")
    return held["key"]


def go_on(job_id: str) -> str:
    """Start another worker and wait for the job's end; returns its status."""
    with process(LAMPWORK, "worker", PROJECT) as worker:
        tell("resumed", f"worker {worker.pid} goes on from what is on disk")
        patience = time.monotonic() + PATIENCE
        while (status := lampwork("job", job_id)["status"]) not in ENDED:
            if time.monotonic() > patience:
                break
        tell(status, f"job {job_id}")
    return status


ENDED = ("succeeded", "failed", "cancelled", "needs_attention")


def show(done: dict[str, Any], status: str, cut: str) -> int:
    """The invoices with their effects, the conversations, and whether each was handled once."""
    by_invoice = {effect["invoice"]: effect for effect in done["effects"]}
    line = "  {:11} {:25} {:16} {:>7} {:>6}   {}"
    console.print(line.format("invoice", "supplier", "outcome", "effects", "asked", "key"))
    for invoice in done["invoices"]:
        effect = by_invoice.get(invoice["id"], {"repeats": -1, "key": "none"})
        key = effect["key"].partition(".")[2]
        row = (invoice["id"], invoice["supplier"], invoice["status"], invoice["effects"])
        style = "bold" if effect["key"] == cut else ""
        console.print(line.format(*row, effect["repeats"] + 1, f"t….{key}"), style=style)
    show_conversations(cut)
    if status == "succeeded" and all(invoice["effects"] == 1 for invoice in done["invoices"]):
        console.print("\nEach invoice was handled once.")
        return 0
    console.print("\nNot every invoice was handled once.")
    return 1


def show_conversations(cut: str) -> None:
    """All of them in a list, and that of the task that the kill cut off, as people read it."""
    console.print("\n$ lampwork conversations")
    subprocess.run([LAMPWORK, "conversations"], check=True)
    task_id = cut.rsplit(".", 2)[0]
    conversation_id = "c" + task_id[1:]
    console.print(f"\n$ lampwork conversation {conversation_id}      # cut off by the kill")
    subprocess.run([LAMPWORK, "conversation", conversation_id], check=True)


# --- processes ---


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


def said(speaker: subprocess.Popen[str]) -> dict[str, Any]:
    """The next JSON line that a process prints."""
    assert speaker.stdout is not None
    timer = Timer(PATIENCE, speaker.kill)
    timer.start()
    line = speaker.stdout.readline()
    timer.cancel()
    if not line:
        sys.exit(f"{speaker.args} said nothing for {PATIENCE:.0f} s")
    return json.loads(line)


def lampwork(*arguments: str) -> dict[str, Any]:
    """What `lampwork … --json` prints."""
    command = [LAMPWORK, *arguments, "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def tell(what: str, more: str) -> None:
    now = time.strftime("%H:%M:%S") if what else ""
    console.print(f"{now:8}  [bold]{what:10}[/bold] {more}")


if __name__ == "__main__":
    sys.exit(main())
