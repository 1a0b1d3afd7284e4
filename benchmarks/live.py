"""Live hints: many readers of one server, which executes what they hear of.

A hint's delay is from the time that a change bears, which is taken before its commit, to the
reader's last byte of it. In the end each reader must know each job by its last version.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import httpx

from benchmarks import records, runs
from benchmarks.folder import until
from benchmarks.systems import Place
from benchmarks.table import Table

QUICK = ["--readers", "20", "--seconds", "3", "--on", "sqlite"]

PATIENCE = 60.0
HINT = re.compile(rb'event: job\ndata: {"id": "([^"]+)", "version": (\d+)}')


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--rate", type=float, default=20.0, help="jobs started per second")
    parser.add_argument("--seconds", type=float, default=60.0)
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(f"{options.readers} readers, {options.rate:g} jobs/s for {options.seconds:g} s.\n")
    table = Table("on", "jobs", "hints", "p50 ms", "p95 ms", "p99 ms", "behind", width=10)
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as place, serving(place) as url:
                jobs, delays, behind = asyncio.run(watched(place, url, options))
            cuts = quantiles(delays, n=100)
            figures = (cuts[49], cuts[94], cuts[98])
            told = f"{len(delays):,}"
            table.row(
                database, f"{jobs:,}", told, *(f"{each:.0f}" for each in figures), f"{behind}"
            )
    print()


@contextmanager
def serving(place: Place) -> Iterator[str]:
    """The address of a server of the project, which also executes."""
    project = Path(__file__).with_name("hinted_project.py")
    state = ["--home", str(place.folder)] if place.url is None else ["--db", place.url]
    command = [sys.executable, "-m", "lampwork", "serve", str(project), "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, *state], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            said = "".join(iter(server.stdout.readline, "}\n"))
            yield json.loads(f"{said}}}")["url"]
        finally:
            server.terminate()


class Reader(asyncio.Protocol):
    """A connection that follows all jobs: what it was told, and how late."""

    def __init__(self, host: str, delays: list[float]) -> None:
        self.versions: dict[bytes, int] = {}
        self.listens = asyncio.Event()
        self._host = host
        self._delays = delays
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(f"GET /api/events HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.time() * 1_000_000
        self.listens.set()
        whole, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        for job, told in HINT.findall(whole):
            version = int(told)
            self.versions[job] = version
            self._delays.append((now - version) / 1000)


async def watched(
    place: Place, url: str, options: argparse.Namespace
) -> tuple[int, list[float], int]:
    """How many jobs ran, each hint's delay in ms, and how many readers don't know the last."""
    loop, at, delays = asyncio.get_running_loop(), urlsplit(url), list[float]()
    with ExitStack() as stack:
        readers = list[Reader]()
        for _ in range(options.readers):
            make = lambda: Reader(at.netloc, delays)  # noqa: E731
            transport, reader = await loop.create_connection(make, at.hostname, at.port)
            stack.callback(transport.close)
            readers.append(reader)
        await asyncio.gather(*(each.listens.wait() for each in readers))
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:
            jobs = await _started(client, options)
        last = await asyncio.to_thread(_last_versions, place, jobs)
        behind = lambda: sum(each.versions != last for each in readers)  # noqa: E731
        with suppress(TimeoutError):
            await asyncio.to_thread(until, lambda: not behind(), "all readers know", PATIENCE)
        return jobs, delays, behind()


async def _started(client: httpx.AsyncClient, options: argparse.Namespace) -> int:
    """Start jobs at the rate, whatever becomes of them; how many there were."""
    begun = time.monotonic()
    async with asyncio.TaskGroup() as starting:
        number = 0
        while (late := time.monotonic() - begun) < options.seconds:
            starting.create_task(_start(client, number))
            number += 1
            await asyncio.sleep(max(0.0, number / options.rate - late))
    return number


async def _start(client: httpx.AsyncClient, number: int) -> None:
    body = {"input": {"number": number}}
    (await client.post("/api/projects/hinted/recipes/count/jobs", json=body)).raise_for_status()


def _last_versions(place: Place, jobs: int) -> dict[bytes, int]:
    """By job, its version when all have ended. Raises TimeoutError."""
    ended = "select count(*) from jobs where status = 'succeeded'"
    until(lambda: records.number(place, ended) == jobs, "all jobs have ended", PATIENCE)
    found = records.rows(place, "select id, changed_at from jobs")
    return {job.encode(): int(at * 1_000_000) for job, at in found}
