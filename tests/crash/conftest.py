"""One service and one source of workers for all of these tests, and what undisturbed runs give."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.crash import service
from tests.crash.around import (
    Undisturbed,
    Workers,
    outside,
    served,
    tree,
)

from lampwork.failpoint import POINTS


@pytest.fixture(scope="session")
def effects_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the service has done."""
    file = tmp_path_factory.mktemp("service") / "effects"
    file.touch()
    with served(file) as url:
        os.environ[service.URL] = url
        yield file
        del os.environ[service.URL]


@pytest.fixture(scope="session")
def workers(effects_file: Path) -> Iterator[Workers]:
    workers = Workers(effects_file.with_name("stderr"))
    yield workers
    workers.close()


@pytest.fixture(scope="session")
def empty_folder(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all tables and no job: they take longer to make than a load to run."""
    home = tmp_path_factory.mktemp("empty") / "home"
    home.mkdir()
    life = asyncio.run(workers.live(home))
    assert life.code == 0, workers.stderr.read_text()
    return home


@pytest.fixture
def home(empty_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(empty_folder, tmp_path / "home")


@pytest.fixture(scope="session")
def undisturbed(
    workers: Workers, empty_folder: Path, effects_file: Path, tmp_path_factory: Any
) -> Undisturbed:
    home = shutil.copytree(empty_folder, tmp_path_factory.mktemp("undisturbed") / "home")

    async def run() -> Any:
        async with outside(home):
            return await workers.live(home, "quiet", count=sorted(POINTS))

    life = asyncio.run(run())
    assert life.code == 0, workers.stderr.read_text()
    quiet = Undisturbed(tree(home), Counter(life["counts"][0]), effects_file)
    quiet.check(home, "quiet", life)
    return quiet


PRUNABLE = Path(__file__).with_name("prunable.py")
MONTHS = 90 * 86400


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose jobs have all ended 90 days ago, but those that wait."""
    home = tmp_path_factory.mktemp("filled") / "home"
    home.mkdir()
    subprocess.run([sys.executable, PRUNABLE, home], check=True, timeout=90)
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        for ago in (
            "jobs set ended_at = ended_at - :ago, created_at = created_at - :ago",
            "conversations set created_at = created_at - :ago",
            "entries set at = at - :ago",
            "blobs set put_at = put_at - :ago",
            "writers set at = at - :ago",
        ):
            connection.execute(f"update {ago}", {"ago": MONTHS})
        connection.commit()
    return home


@pytest.fixture
def aged(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(filled, tmp_path / "home"))
