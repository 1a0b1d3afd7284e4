"""Fresh folders on one real disk, fresh processes, and what machine they ran on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.postgres import Cluster, cluster
from benchmarks.systems import Place

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv-bench" / "runs"
"""Not the system's temporary folder: that is often memory, where an fsync costs nothing."""

QUIET = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "PYTHONWARNINGS": "ignore"}


Places = Callable[[str], AbstractContextManager[Place]]
"""Makes a fresh place on `sqlite`, on `postgres`, or (`own`) just a folder."""


class RunFailed(Exception):
    """A measuring process ended with an error, or said nothing."""


@contextmanager
def fresh_folder() -> Iterator[Path]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def add_databases(parser: argparse.ArgumentParser) -> None:
    names = ["sqlite", "postgres"]
    parser.add_argument("--on", nargs="+", choices=names, default=names, help="databases")


@contextmanager
def places(on: Sequence[str]) -> Iterator[Places]:
    """Places on these databases, with a Postgres server if one is needed. Raises NoPostgres."""
    with cluster() if "postgres" in on else nullcontext() as server:

        def fresh(database: str) -> AbstractContextManager[Place]:
            return _fresh_place(server if database == "postgres" else None)

        yield fresh


@contextmanager
def _fresh_place(server: Cluster | None) -> Iterator[Place]:
    with fresh_folder() as folder:
        if server is None:
            yield Place(folder, None)
            return
        name = folder.name
        yield Place(folder, server.database(name), server.pid)
        server.drop(name)


def run(module: str, *arguments: object, timeout: float = 900) -> Any:
    """Run `benchmarks.<module>` in a process of its own; gives the JSON of its last line."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    environment = os.environ | QUIET
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise RunFailed(f"{' '.join(command[1:])}: exit {done.returncode}\n{done.stderr[-4000:]}")
    return json.loads(lines[-1])


def machine() -> str:
    """The facts a reader needs to compare: machine, disk, versions."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; "
        f"{_filesystem()}, fsync of 4 KiB {_fsync_ms():.2f} ms (median of 100)"
    )


def _filesystem() -> str:
    import psutil  # not needed by chaos, which the tests run without the peers' packages

    FOLDER.mkdir(parents=True, exist_ok=True)
    mounts = {disk.mountpoint: disk.fstype for disk in psutil.disk_partitions(all=True)}
    around = [mount for mount in mounts if FOLDER.is_relative_to(mount)]
    return mounts[max(around, key=len)] if around else "unknown disk"


def _fsync_ms() -> float:
    with fresh_folder() as folder, (folder / "fsync").open("wb", buffering=0) as file:
        return statistics.median(_fsync_once(file.fileno()) for _ in range(100)) * 1000


def _fsync_once(descriptor: int) -> float:
    began = time.perf_counter()
    os.write(descriptor, bytes(4096))
    os.fsync(descriptor)
    return time.perf_counter() - began
