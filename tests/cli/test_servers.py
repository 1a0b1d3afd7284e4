"""A database that can't be had: said in a line, within some seconds, and no password shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.postgres import Cluster

SECRET = "hunter2"

VERBS = [
    ("jobs",),
    ("run", "add", "--input", '{"a": 1}'),
    ("worker",),
    ("migrate",),
]

SOON = 60.0
"""Seconds on a machine with much else to do; a server gets five of them to answer."""


def refused(lampwork: Any, *words: str, url: str, code: int = 1) -> dict[str, Any]:
    """The error that a verb prints for programs; people get its message in one line."""
    began = time.monotonic()
    done = lampwork(*words, "--json", LAMPWORK_DB=url)
    took = time.monotonic() - began

    assert (done.code, took < SOON) == (code, True), done
    assert SECRET not in done.out + done.err
    assert "Traceback" not in done.err
    return done.json["error"]


@pytest.mark.parametrize("words", VERBS)
def test_a_port_where_nobody_listens(lampwork: Any, words: tuple[str, ...]) -> None:
    error = refused(lampwork, *words, url=f"postgresql://lamp:{SECRET}@127.0.0.1:1/shop")

    assert error["code"] == "store_unavailable"
    assert "postgresql://lamp@127.0.0.1:1/shop can't be reached" in error["message"]
    assert "refused" in error["message"]


def test_a_host_that_is_unknown(lampwork: Any) -> None:
    error = refused(lampwork, "jobs", url=f"postgresql://lamp:{SECRET}@nowhere.invalid/shop")

    assert error["code"] == "store_unavailable"
    assert "nowhere.invalid" in error["message"]


def test_a_database_that_is_not_there(lampwork: Any, cluster: Cluster) -> None:
    error = refused(lampwork, "run", "add", url=cluster.url("nothing", f"lamp:{SECRET}"))

    assert error["code"] == "store_unavailable"
    assert 'database "nothing" does not exist' in error["message"]


@pytest.fixture
def guarded(cluster: Cluster) -> Iterator[str]:
    """A role that has to give its password."""
    rules = cluster.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{before}")
    with cluster.connect("postgres") as connection:
        connection.execute(f"create role guarded login password '{SECRET}'")
        connection.execute("select pg_reload_conf()")
        _until_asked(cluster.url("postgres", "guarded"))
        yield "guarded"
        rules.write_text(before)
        connection.execute("select pg_reload_conf()")
        connection.execute("drop role guarded")


def _until_asked(url: str) -> None:
    """The server reads its rules anew a moment after it was told to."""
    until = time.monotonic() + SOON
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return
        assert time.monotonic() < until, "it never asks for the password"


def test_a_password_that_is_wrong(lampwork: Any, server: str, guarded: str) -> None:
    wrong = server.replace("lamp@", f"{guarded}:{SECRET}x@")

    error = refused(lampwork, "jobs", url=wrong)

    assert error["code"] == "store_unavailable"
    assert "password authentication failed" in error["message"]


def test_a_server_that_has_no_ssl_where_it_is_demanded(lampwork: Any, server: str) -> None:
    error = refused(lampwork, "jobs", url=f"{server}?sslmode=require")

    assert error["code"] == "store_unavailable"
    assert "server does not support SSL" in error["message"]
    assert "sslmode=require" in error["message"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://lamp:{SECRET}@localhost/shop", "does not begin with postgresql://"),
        (f"{SECRET}", "does not begin with postgresql://"),
        (f"postgresql://lamp:{SECRET}@localhost", "names no database"),
        (f"postgresql://lamp:{SECRET}@localhost:{SECRET}/shop", "the port of this is no number"),
        (f"postgresql://lamp:a@{SECRET}@localhost/shop", "in a password @ is written as %40"),
        (f"postgresql://lamp:a@{SECRET}/b@localhost/shop", "@ is written as %40, and / as %2F"),
    ],
)
def test_what_is_no_url_of_a_database(lampwork: Any, url: str, said: str) -> None:
    error = refused(lampwork, "jobs", url=url, code=2)

    assert error["code"] == "usage"
    assert "LAMPWORK_DB: The database is named as postgresql://USER:" in error["message"]
    assert said in error["message"]


def test_an_option_that_there_is_not(lampwork: Any, server: str) -> None:
    error = refused(lampwork, "jobs", url=f"{server}?colour=red", code=2)

    assert error["code"] == "database_url_invalid"
    assert "colour" in error["message"]


def test_a_folder_and_a_database_at_once(lampwork: Any, server: str) -> None:
    done = lampwork("jobs", "--home", "state", "--db", server)

    assert done.code == 2
    assert "in a folder or in a database: name one of them" in done.err


def test_a_role_that_may_make_no_tables(lampwork: Any, cluster: Cluster) -> None:
    with cluster.connect("postgres") as connection:
        connection.execute("create role idle login")
    try:
        with cluster.database(empty=True) as bare:
            name = bare.rpartition("/")[2]
            for words in VERBS:
                error = refused(lampwork, *words, url=cluster.url(name, "idle"))

                assert error["code"] == "database_not_writable"
                assert f"permission denied for database {name}" in error["message"]
                assert "lampwork migrate" in error["message"]
            with cluster.connect(name) as connection:
                schemas = "select count(*) from pg_namespace where nspname in ('lampwork', 'dbos')"
                assert connection.execute(schemas).fetchone() == (0,)
    finally:
        with cluster.connect("postgres") as connection:
            connection.execute("drop role idle")


def test_a_role_without_any_right_to_the_tables(
    lampwork: Any, server: str, cluster: Cluster
) -> None:
    with cluster.connect("postgres") as connection:
        connection.execute("create role idle login")
    try:
        for words in VERBS:
            error = refused(lampwork, *words, url=server.replace("lamp@", "idle@"))

            assert error["code"] == "database_not_writable"
            assert "permission denied" in error["message"]
    finally:
        with cluster.connect("postgres") as connection:
            connection.execute("drop role idle")


def test_a_disk_that_is_full_on_the_server(lampwork: Any, server: str, cluster: Cluster) -> None:
    with cluster.connect(server.rpartition("/")[2]) as connection:
        connection.execute(
            """
            create function lampwork.full() returns trigger language plpgsql as $$
            begin raise exception using errcode = '53100', message = 'could not extend file'; end
            $$
            """
        )
        connection.execute(
            "create trigger fill before insert on lampwork.jobs execute function lampwork.full()"
        )

    error = refused(lampwork, "run", "add", "--input", '{"a": 1}', url=server)

    assert error["code"] == "store_unavailable"
    assert "could not extend file" in error["message"]
    assert lampwork.json("jobs", "--db", server)["items"] == []


def test_what_is_to_be_typed_next_shows_no_password(
    lampwork: Any, server: str, guarded: str, cluster: Cluster
) -> None:
    with cluster.connect(server.rpartition("/")[2]) as connection:
        connection.execute("grant lamp to guarded")
    url = server.replace("lamp@", f"{guarded}:{SECRET}@")

    queued = lampwork("run", "add", "--input", '{"a": 1}', "--db", f"{url}?password={SECRET}")

    assert queued.code == 0, queued
    assert SECRET not in queued.out + queued.err
    assert f"--db {server.replace('lamp@', 'guarded@')}" in queued.out


def test_the_rights_that_the_page_lists_are_enough_to_work(
    lampwork: Any, server: str, cluster: Cluster
) -> None:
    page = Path(__file__).parents[2] / "docs" / "postgres.md"
    _, _, listed = page.read_text("utf-8").partition("```sql\n")
    rights, _, _ = listed.partition("```")
    with cluster.connect(server.rpartition("/")[2]) as connection:
        connection.execute(rights)
        try:
            url = server.replace("lamp@", "worker@")
            done = lampwork("run", "add", "--input", '{"a": 1}', "--wait", "--json", "--db", url)

            assert done.json["output"] == 3, done
            assert lampwork("migrate", "--db", url).code == 0
        finally:
            connection.execute("drop owned by worker cascade")
            connection.execute("drop role worker")
