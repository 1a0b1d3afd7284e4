"""How sessions at a server begin, what they hear, and how long a frozen one is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa
from tests.postgres import Cluster
from tests.support import eventually

from lampwork.connections import FROZEN
from lampwork.place import Server
from lampwork.store.processes import news
from lampwork.store.store import Store

pytestmark = pytest.mark.server


def tell(connection: sa.Connection) -> None:
    news.tell(connection, "jobs")


def shown(setting: str) -> Callable[[sa.Connection], str]:
    return lambda connection: str(connection.exec_driver_sql(f"show {setting}").scalar())


async def test_settings_in_a_url_hold_beside_ours_for_all_who_connect(server: str) -> None:
    """Those who wrote took ours alone, and who listens was refused by the server, for ever."""
    store = Store(Server(f"{server}?options={quote('-c statement_timeout=12345')}"))
    other = Store(Server(server))
    heard = threading.Event()
    try:
        for ask in (store.write, store.read):
            assert await ask(shown("statement_timeout")) == "12345ms"
            assert await ask(shown("search_path")) == "lampwork"
        store.watch(lambda topics: heard.set() if topics == {"jobs"} else None)

        async def is_heard() -> bool:
            await other.write(tell)
            return heard.wait(0.2)

        await eventually(is_heard)
    finally:
        store.close()
        other.close()


async def test_a_notification_of_somebody_elses_ends_no_listening(
    server: str, cluster: Cluster
) -> None:
    """Anybody in the database may type `NOTIFY lampwork`: whoever listened heard nothing more."""
    store, other = Store(Server(server)), Store(Server(server))
    heard = threading.Event()
    try:
        store.watch(lambda topics: heard.set() if topics == {"jobs"} else None)

        async def is_heard() -> bool:
            await other.write(tell)
            return heard.wait(0.2)

        await eventually(is_heard)
        with cluster.connect(server.rpartition("/")[2]) as connection:
            connection.execute("notify lampwork")
        heard.clear()
        await eventually(is_heard)
    finally:
        store.close()
        other.close()


def test_a_process_that_is_frozen_while_it_takes_in_an_answer_is_not_waited_for(
    server: str,
) -> None:
    """The server is not idle then: it has more to send, and nobody takes it."""
    frozen = psycopg.connect(server, **Server(server).session(FROZEN))
    with psycopg.connect(server, autocommit=True) as next_one:
        frozen.execute("select pg_advisory_xact_lock(1)")
        frozen.pgconn.send_query(b"select repeat('x', 1000000) from generate_series(1, 100)")
        next_one.execute("set lock_timeout = '60s'")
        next_one.execute("select pg_advisory_lock(1)")
    frozen.close()


@pytest.mark.parametrize("option", ["password", "pasword", "sslpassword", "options", "service"])
def test_of_a_url_nothing_is_shown_that_may_be_a_password(option: str) -> None:
    place = Server(f"postgresql://ann:canary@db/x?sslmode=require&{option}=canary")
    assert str(place) == "postgresql://ann@db/x?sslmode=require"
