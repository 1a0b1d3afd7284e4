"""The one worker of `lampwork dev`: started with some code, started again when it dies, stopped."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lampwork.cli.dev.voice import Voice
from lampwork.cli.lifeline import Lifeline

_LONGEST_PAUSE = 30.0
"""Seconds between two starts of a worker that dies."""

_LEEWAY = 20.0
"""Seconds beyond the grace after which a worker that should have closed is killed."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the worker executes."""

    code: str
    kept: bool
    """Jobs that are kept on this code, and no other ones."""


class Workers:
    """Runs one worker at a time."""

    def __init__(self, words: Sequence[str], grace: float, voice: Voice) -> None:
        self._words = words
        self._grace = grace
        self._voice = voice
        self._keeping: asyncio.Task[None] | None = None
        self.running: Running | None = None
        self.turn_over = asyncio.Event()
        """The worker for kept jobs has ended by itself."""
        self.unloadable: dict[str, str] = {}
        """Code of kept jobs that can't be loaded, and why."""

    async def start(self, code: str, *, kept: bool = False) -> bool:
        """Start a worker; whether it executes now, or has failed to for the first time."""
        await self.stop()
        self.turn_over.clear()
        self.running = Running(code, kept)
        tried: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.create_task(self._keep(self.running, tried))
        await asyncio.wait({tried, self._keeping}, return_when=asyncio.FIRST_COMPLETED)
        return tried.done() and tried.result()

    async def stop(self) -> None:
        """Let the worker close in order: what executes gets its grace."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
            if not self._keeping.cancelled() and (error := self._keeping.exception()):
                raise error
        self._keeping = self.running = None

    async def _keep(self, running: Running, tried: asyncio.Future[bool]) -> None:
        """Start it, and again when it has died."""
        pause = 1.0
        while True:
            began = time.monotonic()
            told, code = await self._run(running, tried)
            if "edited" in told:  # between its import and its start: then it loads the copy
                continue
            if running.kept and (code == 0 or "ready" not in told):
                if "ready" not in told:
                    self.unloadable[running.code] = _why(told, code)
                self.turn_over.set()
                return
            pause = 1.0 if time.monotonic() - began > _LONGEST_PAUSE else pause
            why = _why(told, code)
            text = f"The worker has ended: {why} It starts again in {pause:g} s."
            self._voice.tell("worker_ended", text, why=why, pid=told.get("pid"))
            if not tried.done():
                tried.set_result(False)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _run(
        self, running: Running, tried: asyncio.Future[bool]
    ) -> tuple[dict[str, Any], int]:
        """Run a worker to its end: what it has told, and how it ended."""
        line = Lifeline()
        which = ["--code", running.code, *(["--kept"] if running.kept else [])]
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lampwork", "dev", *self._words, *which, "--json"),
            *("--lifeline", str(line.theirs)),
            stdin=DEVNULL,
            stdout=sys.__stderr__,
            pass_fds=[line.theirs],
            process_group=0,  # Ctrl-C is for the supervisor, which closes it in order
        )
        line.let_go()
        try:
            told = await asyncio.to_thread(line.hear) or {}
            if "ready" in told:
                again = "The worker executes again." if tried.done() else None
                self._voice.tell("worker", again, pid=worker.pid, code=running.code)
                if not tried.done():
                    tried.set_result(True)
            code = await worker.wait()
            return told | {"pid": worker.pid}, code
        finally:
            await self._close(worker)
            line.close()

    async def _close(self, worker: Process) -> None:
        if worker.returncode is not None:
            return
        with suppress(ProcessLookupError):
            worker.terminate()
        try:
            async with asyncio.timeout(self._grace + _LEEWAY):
                await worker.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()


def _why(told: dict[str, Any], code: int) -> str:
    """How a worker ended."""
    if "error" in told:
        return told["error"]["message"]
    if code < 0:
        return f"it was killed by {signal.Signals(-code).name}."
    return f"its code ended the process, with exit code {code}."
