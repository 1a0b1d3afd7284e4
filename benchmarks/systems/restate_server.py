"""Restate's server beside a service that hypercorn serves, both as they come.

The server keeps its state in its own log and in RocksDB, in the folder, and syncs the log at
every write, which is its default. The service is a process too, with the settings that Restate's
documentation gives hypercorn for production, and one worker, as every other system has one. This
process calls the server's door with the client of the Python SDK.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import restate

from benchmarks.postgres import free_port
from benchmarks.systems import Opened, Place

SERVER = "@restatedev/restate-server@1.7.12"
HYPERCORN = """
h2_max_concurrent_streams = 2147483647
keep_alive_max_requests = 2147483647
keep_alive_timeout = 2147483647
workers = 1
"""
PATIENCE = 60.0

Recipe = Callable[[restate.Context, int], Awaitable[str]]
"""A handler, in a module that has `app`, which serves it."""


@asynccontextmanager
async def served(place: Place, recipe: Recipe) -> AsyncIterator[Opened]:
    ingress, admin, node, port = (free_port() for _ in range(4))
    with ExitStack() as started:
        settings = {
            "RESTATE_BASE_DIR": str(place.folder / "restate"),
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_BIND_PORT": str(node),
            "RESTATE_INGRESS__BIND_PORT": str(ingress),
            "RESTATE_ADMIN__BIND_PORT": str(admin),
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_DISABLE_TELEMETRY": "true",
        }
        binary = str(installed())
        server = started.enter_context(_process([binary], place.folder / "server.log", settings))
        service = started.enter_context(_service(place.folder, port, recipe))
        _answered(f"http://127.0.0.1:{admin}/health")
        deployment = {"uri": f"http://127.0.0.1:{port}"}
        _answered(f"http://127.0.0.1:{admin}/deployments", deployment)
        async with restate.create_client(f"http://127.0.0.1:{ingress}") as client:
            client.client.timeout = PATIENCE  # httpx's own 5 s can be too few for 50 at once

            async def run(number: int) -> object:
                return await client.service_call(recipe, arg=number)

            yield Opened(run, _promised(binary), (server.pid, service.pid))


def installed() -> Path:
    """The server's program, out of its npm package; kept in the cache of this account."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "lampwork-bench" / SERVER.rpartition("@")[2]
    found = "node_modules/@restatedev/restate-server-*/bin/restate-server"
    if not list(folder.glob(found)):
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder))
        subprocess.run(["npm", "install", *options, SERVER], check=True, capture_output=True)
    return next(folder.glob(found))


def _service(
    folder: Path, port: int, recipe: Recipe
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    config = folder / "hypercorn.toml"
    config.write_text(f'bind = "127.0.0.1:{port}"\n{HYPERCORN}')
    app = f"{recipe.__module__}:app"
    command = [sys.executable, "-m", "hypercorn", "--config", str(config), app]
    return _process(command, folder / "service.log", {})


@contextmanager
def _process(
    command: list[str], log: Path, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=said, stderr=said)
    try:
        yield process
    finally:
        _ended(process)


def _ended(process: subprocess.Popen[bytes]) -> None:
    """End it. A worker of hypercorn's does not end by itself while agents run in it."""
    workers = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        for each in workers:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(PATIENCE)


def _answered(url: str, body: dict[str, Any] | None = None) -> None:
    """Ask until there is an answer. Raises TimeoutError."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"content-type": "application/json"})
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(request, timeout=PATIENCE):
                return
        except OSError as error:
            if time.monotonic() > end:
                raise TimeoutError(f"no answer from {url}: {error}") from error
            time.sleep(0.1)


def _promised(binary: str) -> str:
    """What its settings, none of which we set, say about its log."""
    dumped = subprocess.run([binary, "--dump-config"], check=True, capture_output=True, text=True)
    server = dumped.stdout.partition("[log-server]")[2]
    setting = next(it for it in server.splitlines() if it.startswith("rocksdb-disable-wal-fsync"))
    return f"its own log, {setting}"
