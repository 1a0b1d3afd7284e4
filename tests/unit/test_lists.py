"""Pages of lists: whatever is asked for, an index leads to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lampwork import Job, Project
from lampwork.insights import Insights
from lampwork.place import Folder
from lampwork.store.store import Store

pytestmark = pytest.mark.folder

_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)

_OF_BOTH: list[dict[str, Any]] = [
    {},
    {"recipe": "review"},
    {"waiting_on": "timer"},
    {"genie": "finance"},
    {"metadata": "invoice_id"},
    {"metadata": "invoice_id=I-7"},
    {"text": "customs"},
    {"since": _BEFORE},
    {"until": _BEFORE},
    {"recipe": "review", "status": "failed", "genie": "finance", "text": "customs"},
]
_OF_JOBS = [{"status": "failed"}, {"roots": True}, {"roots": True, "status": "failed"}]
_OF_CONVERSATIONS = [{"status": "failed"}, {"status": "waiting"}]


@pytest.fixture
async def planned(tmp_path: Path) -> AsyncIterator[tuple[Insights, list[str]]]:
    """What is read of an empty folder, and how SQLite goes about each query."""
    store = Store(Folder(tmp_path))
    plans: list[str] = []

    def explain(connection: Any, _: Any, statement: str, given: Any, *more: Any) -> None:
        if statement.startswith("SELECT"):
            cursor = connection.connection.dbapi_connection.cursor()
            found = cursor.execute(f"explain query plan {statement}", given).fetchall()
            plans.extend(row[3] for row in found)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", explain)
    try:
        yield Insights(store, project="shop"), plans
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", explain)
        store.close()


@pytest.mark.parametrize("wanted", [*_OF_BOTH, *_OF_JOBS])
async def test_a_page_of_jobs_is_found_by_an_index(planned, wanted: dict[str, Any]) -> None:
    insights, plans = planned

    await insights.jobs(examined=100, **wanted)

    assert_led(plans)


@pytest.mark.parametrize("wanted", [*_OF_BOTH, *_OF_CONVERSATIONS])
async def test_a_page_of_conversations_is_found_by_an_index(
    planned, wanted: dict[str, Any]
) -> None:
    insights, plans = planned

    await insights.conversations(examined=100, **wanted)

    assert_led(plans)


async def test_the_figures_of_recipes_are_found_by_an_index(planned) -> None:
    insights, plans = planned
    shop = Project("shop")

    @shop.recipe()
    async def deliver(job: Job) -> None: ...

    await insights.recipes(shop)

    assert_led(plans)


def assert_led(plans: list[str]) -> None:
    assert plans
    for table in ("jobs", "waits", "tasks", "conversations", "entries"):
        scanned = [each for each in plans if each.startswith(f"SCAN {table}")]
        assert [each for each in scanned if "USING INDEX jobs_by_root" not in each] == []
    assert "USE TEMP B-TREE FOR ORDER BY" not in plans[:2]
