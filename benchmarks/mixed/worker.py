"""The processes that befall faults: they execute, start jobs, and say which were accepted.

`python -m benchmarks.mixed.worker` imports everything once and forks a process for each order, a
line of JSON on stdin: a fork costs 10 ms, a start a second. An order has the number of a `life`,
the `settings` of the open project, `failpoints`, the `next` number of a job to start and the `step`
to the one after it, `room` for so many of them at once, and the file `lull`: while it is there
none is started, nor for the seconds of `pace` after the last. Ended jobs are kept for the seconds
of `retention`, if it is given, and have no keys then, which are kept for a day. A life ends by a
signal; SIGTERM closes it in order. Reports are lines of JSON on stdout, each written after Lampwork
has acknowledged what it says.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.mixed.expected import kind_of
from benchmarks.mixed.project import project, start
from lampwork import App, Retention, Settings, failpoint
from lampwork.cli.stopping import stop_signals
from lampwork.errors import StoreUnavailable

LOOK_AGAIN = 0.05


def say(**report: Any) -> None:
    # One write: a killed process leaves a whole line or none.
    os.write(1, json.dumps(report).encode() + b"\n")


async def live(order: dict[str, Any]) -> None:
    settings = Settings.load(triggers=True, **order["settings"])
    if "retention" in order:
        kept = timedelta(seconds=order["retention"])
        project.retention = Retention(jobs=kept, every="1m")
    with stop_signals() as stopped:
        async with project.open(settings=settings) as app:
            say(life=order["life"], is_open=True)
            load = asyncio.create_task(start_jobs(app, order))
            stopping = asyncio.create_task(stopped.wait())
            ended, _ = await asyncio.wait({load, stopping}, return_when="FIRST_COMPLETED")
            if load in ended:
                await load
            load.cancel()
            await asyncio.wait({load})


async def start_jobs(app: App, order: dict[str, Any]) -> None:
    """Start jobs in order of their numbers, for as long as this process lives."""
    number, lull, free = order["next"], Path(order["lull"]), asyncio.Semaphore(order["room"])

    async def follow(job_id: str) -> None:
        with suppress(StoreUnavailable):
            await app.ended(job_id)
        free.release()

    async with asyncio.TaskGroup() as group:
        while True:
            await free.acquire()
            while lull.exists():  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(LOOK_AGAIN)
            # It may have been accepted by a process that was killed before it said so.
            try:
                job = await start(app, number, kind_of(number), keyed="retention" not in order)
            except StoreUnavailable:
                free.release()
                await asyncio.sleep(LOOK_AGAIN)
                continue
            say(accepted=number, job_id=job.job_id)
            group.create_task(follow(job.job_id))
            number += order["step"]
            await asyncio.sleep(order.get("pace", 0))


# --- the process that forks ---


class Nursery:
    """Forks lives as ordered, and says how they ended."""

    def __init__(self) -> None:
        self.lives: dict[int, int] = {}
        self._alarm, self._rung = socket.socketpair()
        for each in (self._alarm, self._rung):
            each.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._rung.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        pending = b""
        while True:
            ready, _, _ = select.select([0, self._alarm], [], [])
            if self._alarm in ready:
                self._alarm.recv(4096)
                self._bury()
            if 0 in ready:
                content = os.read(0, 65536)
                if not content:
                    break
                *orders, pending = (pending + content).split(b"\n")
                for order in orders:
                    self._bear(json.loads(order))
        for pid in self.lives:
            os.kill(pid, signal.SIGKILL)

    def _bear(self, order: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            _live_and_exit(order)
        self.lives[pid] = order["life"]
        say(life=order["life"], pid=pid)

    def _bury(self) -> None:
        while self.lives:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            say(life=self.lives.pop(pid), ended=os.waitstatus_to_exitcode(status))


def _live_and_exit(order: dict[str, Any]) -> None:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ["LAMPWORK_FAILPOINTS"] = order["failpoints"]
        importlib.reload(failpoint)
        log = f"%(asctime)s life {order['life']} %(levelname)s %(name)s %(message)s"
        logging.basicConfig(level=logging.WARNING, format=log)
        asyncio.run(live(order))
        code = 0
    except StoreUnavailable as error:
        logging.error("%s", error)
        code = os.EX_TEMPFAIL
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    Nursery().serve()
