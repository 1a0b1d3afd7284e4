"""What stands in engine.db, and how it is opened: JSON only, a write-ahead log, synced."""

from __future__ import annotations

import base64
import json
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa


async def execute(job_id: str) -> str:
    return '{"value":"größer"}'


async def finished(engine: Any) -> None:
    await engine.start("j1")
    await engine.comes_to("j1", "success")


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "engine.db")) as connection:
        return connection.execute(query).fetchall()


def change(home: Path, statement: str, *values: Any) -> int:
    with closing(sqlite3.connect(home / "engine.db")) as connection:
        changed = connection.execute(statement, values).rowcount
        connection.commit()
        return changed


# --- JSON ---


async def test_every_row_is_json_and_says_so(launched, home):
    async with launched(execute) as engine:
        await finished(engine)
    found = rows(
        home,
        "select serialization, inputs, output, error from workflow_status union all "
        "select null, inputs, null, null from workflow_input union all "
        "select null, output, error, null from workflow_output",
    )
    named = {name for name, *_ in found if name is not None}
    assert named == {"lampwork_json"}
    written = [text for _, *texts in found for text in texts if text is not None]
    assert '{"value":"größer"}' in [json.loads(text) for text in written]


# --- code execution from the database ---


@pytest.fixture
def poison(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A value that makes a file when it is unpickled, and the file."""
    made = tmp_path / "made by unpickling"

    class Payload:
        def __reduce__(self) -> Any:
            return (Path.touch, (made,))

    payload = base64.b64encode(pickle.dumps(Payload())).decode()
    pickle.loads(base64.b64decode(payload))
    assert made.exists(), "the poison has no effect"
    made.unlink()
    return payload, made


async def test_a_pickled_outcome_is_never_unpickled(launched, home, poison):
    payload, made = poison
    async with launched(execute) as engine:
        await finished(engine)
        poison_everywhere(home, payload)
        assert await engine.call(engine.engine.outcome("j1")) == payload
    assert not made.exists()


async def test_a_pickled_job_that_is_listed_or_taken_is_never_unpickled(launched, home, poison):
    payload, made = poison
    async with launched(execute) as engine:
        await finished(engine)
        poison_everywhere(home, payload)
        change(home, "update workflow_status set status = 'PENDING'")
        assert await engine.statuses("j1") == {"j1": "pending"}
    async with launched(execute, executor_id="two", reclaim=True) as engine:
        assert await engine.statuses("j1") == {"j1": "cancelled"}
    assert not made.exists()


def poison_everywhere(home: Path, payload: str) -> None:
    for column in ("inputs", "output"):
        change(
            home, f"update workflow_status set {column} = ?, serialization = 'py_pickle'", payload
        )
    change(home, "update workflow_input set inputs = ?", payload)
    change(home, "update workflow_output set output = ?", payload)


# --- the file ---


async def test_every_connection_uses_the_write_ahead_log_and_syncs_each_commit(launched, home):
    pragmas: set[tuple[str, int]] = set()

    def look(driver: Any, *_: Any) -> None:
        mode = driver.execute("PRAGMA journal_mode").fetchone()[0]
        pragmas.add((mode, driver.execute("PRAGMA synchronous").fetchone()[0]))

    async with launched(execute) as engine:
        sa.event.listen(sa.pool.Pool, "checkout", look)
        try:
            await finished(engine)
            await engine.call(engine.engine.outcome("j1"))
        finally:
            sa.event.remove(sa.pool.Pool, "checkout", look)
        assert (home / "engine.db-wal").exists()
    assert pragmas == {("wal", 2)}
