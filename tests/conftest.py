"""What every test starts from: settings of its own, none of the machine's."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers
from tests import readymade
from tests.postgres import Cluster, in_memory
from tests.warm import Warm

# Who starts the tests in the background may have Ctrl-C ignored, and so would all their processes.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time, however slow the machine, in CI and elsewhere: what fails, fails for
# everybody.
hypothesis.settings.register_profile(
    "here",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("here")
# Nor does it try what stands in the modules of ours that are imported by then: in another order
# of the tests these are others.
providers._get_local_constants = lambda: providers._local_constants

readymade.use()


def pytest_configure() -> None:
    """Folders of tests are in memory if there is room: no commit waits for a disk."""
    if (memory := in_memory()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is marked as true of one place alone, at the other."""
    items[:] = [
        each
        for each in items
        if not any(each.get_closest_marker(elsewhere) for elsewhere in _ELSEWHERE[_place(each)])
    ]


def pytest_collectstart() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """All that is there by now stays: the collector need not look through it in each test."""
    gc.freeze()
    gc.enable()


_ELSEWHERE = {"folder": ["server"], "server": ["folder"], None: []}


def _place(item: pytest.Item) -> str | None:
    called = getattr(item, "callspec", None)
    return None if called is None else called.params.get("place")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAMPWORK_MODEL", raising=False)
    monkeypatch.delenv("LAMPWORK_DB", raising=False)
    monkeypatch.setenv("LAMPWORK_HOME", str(tmp_path / ".lampwork"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Postgres server of this process's own."""
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture
def server(cluster: Cluster) -> Iterator[str]:
    """The URL of a database with our tables, of this test's own."""
    with cluster.database() as url:
        yield url


@pytest.fixture(params=["folder", "server"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both places that the state may be kept in, one after the other, as LAMPWORK_DB says."""
    if request.param == "server":
        # However busy the machine is, nobody takes the server for one that can't be reached.
        patient = f"{request.getfixturevalue('server')}?connect_timeout=60"
        monkeypatch.setenv("LAMPWORK_DB", patient)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """`warm.start(…)`: a command in a process that need not import everything first."""
    warm = Warm()
    yield warm
    warm.close()
