"""LangGraph's savers, as their own documentation opens them.

The SQLite saver sets WAL; the default of `synchronous` is FULL. The Postgres saver holds a lock
around each use of its connection: a pool would change nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from benchmarks import durability
from benchmarks.systems import Place


@asynccontextmanager
async def kept(place: Place) -> AsyncIterator[tuple[BaseCheckpointSaver[Any], str]]:
    """A saver with its tables, and what its connection promises."""
    asked = durability.questions(place.url)
    if place.url:
        async with AsyncPostgresSaver.from_conn_string(place.url) as saver:
            await saver.setup()
            rows = [await (await saver.conn.execute(it)).fetchone() for it in asked]
            facts = [next(iter(row.values())) for row in rows]
            yield saver, durability.described(place.url, facts)
    else:
        file = str(place.folder / "checkpoints.db")
        async with AsyncSqliteSaver.from_conn_string(file) as saver:
            await saver.setup()
            facts = [next(iter(await saver.conn.execute_fetchall(it)))[0] for it in asked]
            yield saver, durability.described(place.url, facts)
