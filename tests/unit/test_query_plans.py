"""What is asked often, of very many rows, is led by the index that is meant for it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from benchmarks import stored
from benchmarks.systems import Place
from tests.postgres import Cluster

from lampwork.insights.jobs_wanted import conversation_filter, job_filter
from lampwork.place import Folder, Server
from lampwork.store.jobs import cancelled, inbox, queued, requests, wanted
from lampwork.store.jobs.new_jobs import NewJob
from lampwork.store.lists import changes, operations, queries
from lampwork.store.processes.share import Share
from lampwork.store.store import Store

_DAY = time.time() - 86400
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_NEW = NewJob("j1", "stored", "review_1", "1", {}, {}, "j1")
_SHARE = Share("stored", "me")

Asked = Callable[[sa.Connection], Any]


@pytest.fixture(scope="module", params=["folder", "server"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Store]:
    """A store with rows of each table of which there can be very many."""
    home = tmp_path_factory.mktemp("filled")
    with ExitStack() as stack:
        url = None
        if request.param == "server":
            cluster: Cluster = request.getfixturevalue("cluster")
            url = stack.enter_context(cluster.database(empty=True))
        stored.main(Place(home, url), 5000, 5000)
        store = Store(Folder(home) if url is None else Server(url))
        stack.callback(store.close)
        key = sa.text(
            "update jobs set idempotency_key = 'k', request_digest = 'd', created_at = :now "
            "where id = (select max(id) from jobs)"
        )
        store.submit(
            lambda connection: connection.execute(key, {"now": time.time()}) and None
        ).result()
        yield store


def jobs(**wanted: Any) -> Asked:
    return page(queries.page_of_jobs, job_filter(wanted))


def conversations(**wanted: Any) -> Asked:
    return page(queries.page_of_conversations, conversation_filter(wanted))


def page(pages: Any, wanted: Any) -> Asked:
    given = {"project": "stored", "after": None, "limit": 50, "examined": 2000}
    return lambda connection: pages(connection, wanted=wanted, **given)


_INDEX = re.compile(r"(?:using|USING(?: COVERING)? INDEX|Bitmap Index Scan on) (\w+)")
_KEY = re.compile("^sqlite_autoindex_|_1$|_pkey$")  # of a table's own key its name is left
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
        return {_KEY.sub("", each[1]) for each in found if each is not None}

    @property
    def scanned(self) -> set[str]:
        """The tables that are read from their beginning."""
        found = (_SCAN.search(each) for each in self.lines)
        return {each[1] or each[2] for each in found if each is not None}


# What is asked, and by which indexes it is found: in SQLite's words, and in Postgres's where it
# takes another one that is as good.
PAGES: dict[str, tuple[Asked, set[str]]] = {
    "jobs": (jobs(), {"jobs_by_root"}),
    "roots": (jobs(roots=True), {"jobs_by_root"}),
    "jobs by status": (jobs(status="suspended"), {"jobs_by_status"}),
    "jobs by recipe": (jobs(recipe="review_3"), {"jobs_by_recipe"}),
    "jobs since": (jobs(since=_LONG_AGO), {"jobs_by_time"}),
    "jobs by metadata": (jobs(metadata="vessel"), {"jobs_by_time"}),
    "jobs by text": (jobs(text="customs"), {"jobs_by_time", "tasks_by_job"}),
    "jobs that wait": (jobs(waiting_on="timer"), {"waits_open", "jobs"}),
    "jobs by genie": (jobs(genie="auditor"), {"tasks_by_genie", "jobs"}),
    "conversations": (conversations(), {"conversations_by_time"}),
    "conversations since": (conversations(since=_LONG_AGO), {"conversations_by_time"}),
    "conversations by recipe": (conversations(recipe="review_3"), {"jobs_by_recipe"}),
    "conversations by genie": (conversations(genie="auditor"), {"tasks_by_genie"}),
    "open conversations": (conversations(status="waiting"), {"tasks_open"}),
    "failed conversations": (conversations(status="failed"), {"conversations_by_time"}),
    "conversations that wait": (conversations(waiting_on="timer"), {"waits_open"}),
    "conversations by text": (conversations(text="customs"), {"conversations_by_time"}),
}
FIGURES: dict[str, tuple[Asked, set[str]]] = {
    "jobs by status": (lambda c: operations.jobs_by_status(c, "stored"), {"jobs_by_status"}),
    "open tasks": (lambda c: operations.open_tasks(c, "stored"), {"tasks_open"}),
    "oldest queued": (lambda c: operations.queued_since(c, "stored"), {"jobs_to_start"}),
    "spent": (
        lambda c: operations.spent(c, _DAY, "stored"),
        {"tasks_by_end", "jobs_by_change", "jobs_by_status", "tasks_by_job", "entries"},
    ),
    "what has changed": (lambda c: changes.jobs_since(c, _DAY, "stored"), {"jobs_by_change"}),
    "last entries": (lambda c: changes.last_entries(c, ["c1"]), {"conversations"}),
    "projects": (queries.has_several_projects, set()),
}
HOUSEKEEPING: dict[str, tuple[Asked, set[str]]] = {
    "next that is due": (inbox.next_due, {"waits_by_due"}),
    "what is due": (lambda c: inbox.expire(c, 0.0), {"waits_by_due"}),
    "what may start": (lambda c: queued.to_start(c, _SHARE, 10), {"jobs_to_start"}),
    "room in the queue": (lambda c: queued.require_room(c, "stored", 9), {"jobs_to_start"}),
    "what may be woken": (lambda c: inbox.movable_jobs(c, _SHARE), {"waits_parked"}),
    "what has begun": (lambda c: wanted.begun_ids(c, _SHARE), {"jobs_by_want"}),
    "what is to be cancelled": (lambda c: cancelled.to_cancel(c, _SHARE), {"jobs_by_want"}),
}
LOOK_UPS: dict[str, tuple[Asked, set[str]]] = {
    "children": (
        lambda c: queries.children(c, ["j1"], each=5, unfinished=False),
        {"jobs_by_parent"},
    ),
    "tasks of jobs": (lambda c: queries.tasks_of(c, ["j1"]), {"tasks_by_job"}),
    "tasks in": (lambda c: queries.tasks_in(c, ["c1"]), {"tasks_by_conversation"}),
    "activity": (lambda c: queries.activity(c, ["c1"]), {"entries"}),
    "waits of jobs": (lambda c: queries.open_waits(c, ["j1"]), {"waits_by_job"}),
    "who waits for an event": (lambda c: inbox.expected(c, "j1:go"), {"waits_by_topic"}),
    "the same request": (lambda c: requests.accept(c, _NEW, "k", "d", None), {"jobs_by_key"}),
}


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_led_by_its_index(filled: Store, name: str) -> None:
    await assert_led(filled, *PAGES[name])


@pytest.mark.parametrize("name", FIGURES)
async def test_figures_are_led_by_their_indexes(filled: Store, name: str) -> None:
    await assert_led(filled, *FIGURES[name])


@pytest.mark.parametrize("name", HOUSEKEEPING)
async def test_who_looks_what_is_to_be_done_reads_no_more_than_that(
    filled: Store, name: str
) -> None:
    """These come all the time, however much is stored."""
    await assert_led(filled, *HOUSEKEEPING[name])


@pytest.mark.parametrize("name", LOOK_UPS)
async def test_what_is_named_is_found_by_its_name(filled: Store, name: str) -> None:
    await assert_led(filled, *LOOK_UPS[name])


async def assert_led(store: Store, asked: Asked, by: set[str]) -> None:
    plans = Plans()
    sa.event.listen(sa.engine.Engine, "before_cursor_execute", plans.explain)
    try:
        await store.read(asked)
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", plans.explain)

    assert by <= plans.indexes, plans.lines
    large = {"jobs", "waits", "tasks", "conversations", "entries", "inbox", "calls"}
    assert plans.scanned & large == set(), plans.lines
