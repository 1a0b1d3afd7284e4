"""What is asked often, of very many rows, is led by the index that is meant for it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from benchmarks import stored
from benchmarks.systems import Place
from tests.postgres import Cluster

from lampwork.insights.jobs_wanted import conversation_filter, job_filter
from lampwork.place import Folder, Server
from lampwork.store.jobs import inbox
from lampwork.store.lists import changes, operations, queries
from lampwork.store.processes.share import Share
from lampwork.store.store import Store

_MONTH = time.time() - 30 * 86400
_DAY = time.time() - 86400

Asked = Callable[[sa.Connection], Any]


@pytest.fixture(scope="module", params=["folder", "server"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Store]:
    """A store with rows of each table of which there can be very many."""
    home = tmp_path_factory.mktemp("filled")
    if request.param == "folder":
        stored.main(Place(home, None), 5000, 5000)
        store = Store(Folder(home))
        yield store
        store.close()
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database(empty=True) as url:
        stored.main(Place(home, url), 5000, 5000)
        store = Store(Server(url))
        yield store
        store.close()


def jobs(**wanted: Any) -> Asked:
    return page(queries.page_of_jobs, job_filter(wanted))


def conversations(**wanted: Any) -> Asked:
    return page(queries.page_of_conversations, conversation_filter(wanted))


def page(pages: Any, wanted: Any) -> Asked:
    given = {"project": "stored", "after": None, "limit": 50, "examined": 2000}
    return lambda connection: pages(connection, wanted=wanted, **given)


_INDEX = re.compile(r"(?:using|USING(?: COVERING)? INDEX|Bitmap Index Scan on) (\w+)")
_SCAN = re.compile(r"^(?:SCAN (\w+)$|.*Seq Scan on (\w+))")


class Plans:
    """How a database goes about what is asked."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def explain(self, connection: Any, _: Any, statement: str, given: Any, *more: Any) -> None:
        if not statement.startswith(("SELECT", "WITH")):
            return
        cursor = connection.connection.dbapi_connection.cursor()
        if connection.dialect.name == "sqlite":
            found = cursor.execute(f"explain query plan {statement}", given).fetchall()
            self.lines += [row[3] for row in found]
            return
        cursor.execute("set local enable_seqscan = off")  # of so few rows it is often best
        found = cursor.execute(f"explain {statement}", given).fetchall()
        cursor.execute("set local enable_seqscan = on")
        self.lines += [row[0].strip() for row in found]

    @property
    def indexes(self) -> set[str]:
        found = (_INDEX.search(each) for each in self.lines)
        return {each[1] for each in found if each is not None}

    @property
    def scanned(self) -> set[str]:
        """The tables that are read from their beginning."""
        found = (_SCAN.search(each) for each in self.lines)
        return {each[1] or each[2] for each in found if each is not None}


@pytest.mark.parametrize("name", ["x"])
async def test_plans(filled: Store, name: str) -> None:
    cases = {
        "jobs": jobs(), "roots": jobs(roots=True), "status": jobs(status="suspended"),
        "recipe": jobs(recipe="review_3"), "since": jobs(since=None, metadata="vessel"),
        "timer": jobs(waiting_on="timer"), "auditor": jobs(genie="auditor"),
        "text": jobs(text="customs"),
        "conv": conversations(), "conv recipe": conversations(recipe="review_3"),
        "conv genie": conversations(genie="auditor"), "conv status": conversations(status="waiting"),
        "conv failed": conversations(status="failed"), "conv waiting": conversations(waiting_on="timer"),
        "conv text": conversations(text="customs"),
        "next_due": inbox.next_due, "expire": lambda c: inbox.expire(c, 0.0),
        "by status": lambda c: operations.jobs_by_status(c, "stored"),
        "queued": lambda c: operations.queued_since(c, "stored"),
        "open": lambda c: operations.open_tasks(c, "stored"),
        "spent": lambda c: operations.spent(c, _DAY, "stored"),
        "since": lambda c: changes.jobs_since(c, _DAY, "stored"),
        "last": lambda c: changes.last_entries(c, ["c1"]),
        "children": lambda c: queries.children(c, ["j1"], each=5, unfinished=False),
        "tasks of": lambda c: queries.tasks_of(c, ["j1"]),
        "tasks in": lambda c: queries.tasks_in(c, ["c1"]),
        "activity": lambda c: queries.activity(c, ["c1"]),
        "open waits": lambda c: queries.open_waits(c, ["j1"]),
        "expected": lambda c: inbox.expected(c, "t"),
        "movable": lambda c: inbox.movable_jobs(c, Share("e", "stored")),
        "several": queries.has_several_projects,
    }
    for name, asked in cases.items():
        plans = Plans()
        sa.event.listen(sa.engine.Engine, "before_cursor_execute", plans.explain)
        try:
            await filled.read(asked)
        finally:
            sa.event.remove(sa.engine.Engine, "before_cursor_execute", plans.explain)
        print(name, sorted(plans.indexes), "SCANNED", plans.scanned)
