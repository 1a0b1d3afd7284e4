"""One service and one source of workers for all of these tests, and what undisturbed runs give."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import sqlalchemy as sa
from tests.behind import place_at, tables
from tests.crash import service
from tests.crash.around import (
    DEADLINE,
    ROOT,
    Home,
    Undisturbed,
    Workers,
    outside,
    served,
    tree,
)
from tests.postgres import Cluster
from tests.warm import Command, Warm

from lampwork.failpoint import POINTS
from lampwork.place import Server

PRUNABLE = "tests/crash/prunable.py"


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


@pytest.fixture(params=["folder", "server"])
def somewhere(request: pytest.FixtureRequest) -> Home:
    """Both places, with all tables and no job."""
    if request.param == "server":
        return Server(request.getfixturevalue("server"))
    return request.getfixturevalue("home")


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


# --- commands ---


class Run:
    """`run("-m", "lampwork", …)`: what came of a process, killed at its failpoints or not."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm

    def __call__(self, *words: str, home: Path, failpoints: str = "") -> CompletedProcess[str]:
        process = self.start(*words, home=home, failpoints=failpoints)
        out, err = process.communicate(timeout=DEADLINE)
        return CompletedProcess(words, process.wait(), out, err)

    def start(self, *words: str, home: Path, failpoints: str = "") -> Command:
        """One whose end is not waited for."""
        environment = {"LAMPWORK_HOME": str(home), "LAMPWORK_FAILPOINTS": failpoints}
        return self._warm.start(words, cwd=ROOT, env=os.environ | environment)


@pytest.fixture
def run(warm: Warm) -> Run:
    return Run(warm)


# --- what may be pruned ---

MONTHS = 90 * 86400


@pytest.fixture(scope="session")
def filled(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose jobs have all ended 90 days ago, but those that wait."""
    home = tmp_path_factory.mktemp("filled") / "home"
    fill(Run(warm), home)
    return home


@pytest.fixture(scope="session")
def filled_server(
    warm: Warm, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A database like that, and the folder with what is noted beside it."""
    home = tmp_path_factory.mktemp("filled") / "home"
    with cluster.database() as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("LAMPWORK_DB", url)
        fill(Run(warm), home)
        environment.undo()
        yield url, home


def fill(run: Run, home: Path) -> None:
    home.mkdir()
    done = run(PRUNABLE, str(home), home=home)
    assert done.returncode == 0, done.stderr
    with tables(place_at(home)) as connection:
        for ago in (
            "jobs set ended_at = ended_at - :ago, created_at = created_at - :ago",
            "conversations set created_at = created_at - :ago",
            "entries set at = at - :ago",
            "blobs set put_at = put_at - :ago",
            "writers set at = at - :ago",
        ):
            connection.execute(sa.text(f"update {ago}"), {"ago": MONTHS})


@pytest.fixture
def aged(
    place: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Path]:
    """A copy of it, at both places."""
    if "LAMPWORK_DB" not in os.environ:
        yield Path(shutil.copytree(request.getfixturevalue("filled"), tmp_path / "home"))
        return
    url, home = request.getfixturevalue("filled_server")
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database(like=url) as copy:
        monkeypatch.setenv("LAMPWORK_DB", copy)
        yield Path(shutil.copytree(home, tmp_path / "home"))
