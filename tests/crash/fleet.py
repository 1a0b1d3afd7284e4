"""One of several workers at a server, to be killed, stopped and continued.

`python -m tests.crash.fleet ORDER` executes until SIGTERM; ORDER is JSON. Each line that it says
names what its code does: `in post LOAD a of j…`, `woken j…`; the first one is `ready`, the last one
`closing`: it begins nothing more.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.crash.service import happen

from lampwork import (
    Answer,
    App,
    Call,
    Job,
    Metadata,
    Project,
    Settings,
    SkillCall,
    Turn,
    failpoint,
    playbook,
)
from lampwork.cli.stopping import stop_signals
from lampwork.store import postgres

project = Project("fleet")

GATES = "LAMPWORK_TEST_GATES"
"""The environment variable that names the folder of gates: a file of a gate's name opens it."""


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def gate(name: str) -> None:
    """Wait until the test has opened it."""
    while not (Path(os.environ[GATES]) / name).exists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def post(job: Job, load: str, part: str) -> str:
    """An effect with a key, whose function takes as long as its gate is shut."""
    key = job.step_key()
    say(f"in post {load} {part} of {job.id}")
    receipt = await asyncio.to_thread(happen, f"{load}/post {part}", key)
    await gate(f"{load} {part}")
    return receipt


@project.skill(effect="idempotent")
async def pay(part: str, load: Metadata[str], call: SkillCall) -> str:
    """Pay a part."""
    say(f"in pay {load} {part}")
    receipt = await asyncio.to_thread(happen, f"{load}/pay {part}", call.idempotency_key)
    await gate(f"{load} {part}")
    return receipt


@playbook
def twice(turn: Turn) -> Call | Answer:
    parts = ("first", "second")
    if len(turn.results) == len(parts):
        return Answer("paid")
    return Call("pay", part=parts[len(turn.results)])


cashier = project.genie("cashier", model=twice, job_description="You pay.", skills=[pay])


@project.recipe()
async def errand(job: Job, load: str) -> str:
    """Two posts, one after the other."""
    await job.step(post, job, load, "a")
    await job.step(post, job, load, "b")
    return "done"


@project.recipe()
async def payment(job: Job, load: str) -> str:
    """A task with two skill calls."""
    return (await job.assign_task(cashier, "Pay.", metadata={"load": load})).response


@project.recipe()
async def payments(job: Job, load: str) -> int:
    """Four tasks with two skill calls, each in a job of its own."""
    return len(await job.map(payment_of, [load] * 4))


async def payment_of(job: Job, load: str) -> None:
    await job.assign_task(cashier, "Pay.", metadata={"load": load})


@project.recipe()
async def visit(job: Job, load: str) -> str:
    """Wait for an event, then post."""
    colour = await job.wait_for("colour", str)
    say(f"woken {job.id}")
    await job.step(post, job, load, "b")
    return colour


async def main(order: dict[str, Any]) -> None:
    project.__dict__["version"] = order["version"]  # that of the files is the same for all
    for name in order["stops_at"]:
        failpoint.arm(name, _stop)
    postgres._LOOK_EVERY = 600.0  # who is not told finds out by nothing else
    settings = Settings(**{"home": Path(), "triggers": True} | order["settings"])
    with stop_signals() as stopped:
        async with project.open(settings=settings) as app:
            say("ready")
            await stopped.wait()
            threading.Thread(target=_say_that_it_closes, args=(app,), daemon=True).start()


def _say_that_it_closes(app: App) -> None:
    while not app.worker.closing:
        time.sleep(0.005)
    say("closing")


def _stop() -> None:
    say("stopped")
    # By this thread: were another one to take it, this one would go on until that gets to it.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
