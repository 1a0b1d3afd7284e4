"""The process that is killed: it accepts the load, executes it, and says what it gave.

`python -m tests.crash.worker` imports everything once and forks a process for each order, a line
of JSON on stdin: a fork costs 10 ms, a start 600. Everything that is said is a line on stdout.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
from collections import Counter
from functools import partial
from typing import Any

import sqlalchemy as sa
from tests.crash.load import ARRIVALS, USER, everything, loads, project, teller

from lampwork import App, clock, failpoint
from lampwork.settings import Settings


def say(**what: Any) -> None:
    # One write: a killed process leaves a whole line or none.
    os.write(1, json.dumps(what).encode() + b"\n")


def die(name: str) -> None:
    say(killed_at=name)
    os.kill(os.getpid(), signal.SIGKILL)


class Standing(clock.Clock):
    """It stands still."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


async def live(order: dict[str, Any]) -> None:
    """Accept the load, unless it was accepted before, and bring everything to its end."""
    counts: Counter[str] = Counter()
    for name in order.get("count", []):
        failpoint.arm(name, lambda name=name: counts.update([name]))
    for name in order.get("kills", []):
        failpoint.arm(name, partial(die, name))
    settings = Settings.load(**order["where"], **order["settings"])
    here = Standing(order["clock"]) if "clock" in order else clock.Clock()
    with clock.using(here):
        await execute(order, settings)
    say(counts=counts)


async def execute(order: dict[str, Any], settings: Settings) -> None:
    async with project.open(settings=settings) as app:
        for load in order["loads"]:
            job = await app.start(everything, idempotency_key=load, load=load)
            say(accepted=load, job_id=job.job_id)
        if order.get("dies") == "accepted":
            os.kill(os.getpid(), signal.SIGKILL)
        loads.extend(order["loads"])
        await app._loop.call(app.schedule.begin())
        for load in order["loads"]:
            job = await app.start(everything, idempotency_key=load, load=load)
            key, known = f"chat of {load}", {"load": load}
            said = await app.send_message(
                teller, "Settle it.", user=USER, metadata=known, idempotency_key=key
            )
            say(load=load, result=await app.result(job.job_id))
            say(load=load, reply=(await app.result(said.job_id))["response"])
        await all_arrived(app)
        await all_ended(app)


async def all_arrived(app: App) -> None:
    """What the poll finds has started its jobs."""
    counted = sa.text("select count(*) from jobs where callable = 'receive'")
    expected = len(ARRIVALS) * len(loads)
    while await app.store.read(lambda each: each.execute(counted).scalar()) < expected:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def all_ended(app: App) -> None:
    """What was started aside, and what runs at an end, ends too."""
    listed = sa.text("select id from jobs where ended_at is null")
    while open := await app.store.read(lambda each: each.execute(listed).scalars().all()):
        for job_id in open:
            await app.ended(job_id)


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.environ["LAMPWORK_FAILPOINTS"] = order["failpoints"]
            importlib.reload(failpoint)
            code = 1
            try:
                asyncio.run(live(order))
                code = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stderr.flush()
                os._exit(code)
        say(pid=pid)
        _, status = os.waitpid(pid, 0)
        say(ended=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    serve()
