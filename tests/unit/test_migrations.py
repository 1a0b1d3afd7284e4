"""Tables of each earlier revision are brought up to date, in a folder and on a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from tests import readymade
from tests.postgres import Cluster, _when_nobody_is_in_it
from tests.support import NEVER

from lampwork import Settings
from lampwork.errors import (
    DatabaseBehind,
    DatabaseNotSupported,
    DatabaseTooNew,
    LampworkError,
    StoreUnavailable,
)
from lampwork.place import Folder, Place, Server
from lampwork.store import migrations, schema
from lampwork.store.migrations import HEAD, server
from lampwork.store.store import Store
from lampwork.upkeep.migration import Migrated, migrate

_VERSIONS = Path(migrations.__file__).parent / "versions"
EARLIER = sorted(file.name[:4] for file in _VERSIONS.glob("0*.py"))[:-1]


@pytest.fixture(autouse=True)
def _by_revisions() -> Iterator[None]:
    with readymade.by_revisions():
        yield


@pytest.fixture(params=["folder", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place with nothing in it."""
    if request.param == "folder":
        yield Folder(tmp_path)
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database(empty=True) as url:
        yield Server(url)


@contextmanager
def connected(place: Place) -> Iterator[sa.Connection]:
    """In a transaction, as whoever owns the tables."""
    url = (
        f"sqlite:///{place.path / 'lampwork.db'}"
        if isinstance(place, Folder)
        else place.for_driver(options="-c search_path=lampwork")
    )
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def make(place: Place, revision: str) -> None:
    """The tables as a Lampwork of that revision has made them."""
    config = Config()
    config.set_main_option("script_location", str(_VERSIONS.parent))
    with connected(place) as connection:
        if isinstance(place, Server):
            connection.exec_driver_sql("create schema lampwork")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        if isinstance(place, Server):
            server._sort_by_bytes(connection, "lampwork")


def differences(place: Place) -> list[object]:
    """What is not as `schema` says: tables, columns, types, defaults, indexes."""
    with connected(place) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, schema.metadata)


def test_the_migrations_make_the_tables_of_the_schema(place: Place) -> None:
    Store(place).close()

    assert differences(place) == []


@pytest.mark.parametrize("revision", EARLIER)
def test_tables_of_each_version_before_are_brought_up_to_date(place: Place, revision: str) -> None:
    make(place, revision)

    done = migrate(place)

    assert (done.before, done.now) == (revision, HEAD)
    assert differences(place) == []
    assert not migrate(place).changed


def test_on_a_server_text_is_sorted_by_its_bytes_in_every_table(server: str) -> None:
    query = """
        select count(*) filter (where collation_name = 'C'), count(*)
        from information_schema.columns where table_schema = 'lampwork' and data_type = 'text'
    """
    with closing(psycopg.connect(server)) as connection:
        by_bytes, all_of_them = connection.execute(query).fetchone()

    assert by_bytes == all_of_them > 50


def test_on_a_server_an_entry_lies_in_its_row(server: str) -> None:
    """In pieces beside it, one of 2 KB takes a sixth more, and is fetched by itself."""
    query = """
        select attstorage from pg_attribute
        where attrelid = 'lampwork.entries'::regclass and attname = 'body'
    """
    with closing(psycopg.connect(server)) as connection:
        assert connection.execute(query).fetchone() == ("m",)


def test_from_0003_on_a_migration_only_adds(place: Place) -> None:
    """So a worker of the version before goes on: what it reads is there, what it writes is
    enough."""
    make(place, "0003")
    with connected(place) as connection:
        before = described(connection)

    migrate(place)

    with connected(place) as connection:
        after = described(connection)
    for table, columns in before.items():
        for name, column in columns.items():
            assert after[table][name]["type"] == column["type"], (table, name)
        for name in after[table].keys() - columns.keys():
            column = after[table][name]
            assert column["nullable"] or column["default"] is not None, (table, name)


def described(connection: sa.Connection) -> dict[str, dict[str, dict[str, object]]]:
    inspector = sa.inspect(connection)
    return {
        table: {
            each["name"]: dict(each) | {"type": str(each["type"])}
            for each in inspector.get_columns(table)
        }
        for table in inspector.get_table_names()
    }


def test_what_is_made_anew_is_told(place: Place) -> None:
    done = migrate(place)

    if isinstance(place, Folder):
        assert done == Migrated(before=None, now=None, engine_before=None, engine_now=None)
        assert list(place.path.iterdir()) == []
    else:
        assert (done.before, done.now, done.engine_before) == (None, HEAD, None)
        assert done.engine_now is not None
        assert not migrate(place).changed


def test_a_server_that_is_behind_is_refused_with_the_command_that_mends_it(
    cluster: Cluster,
) -> None:
    with cluster.database(empty=True) as url:
        make(Server(url), "0003")

        with pytest.raises(DatabaseBehind, match=rf"0003.*needs {HEAD}.*lampwork migrate"):
            Store(Server(url))

        assert migrate(Server(url)).before == "0003"
        Store(Server(url)).close()


async def test_engine_tables_that_are_behind_are_refused_as_well(server: str) -> None:
    from lampwork import Project

    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute("update dbos.dbos_migrations set version = 100")
        connection.execute("insert into dbos.workflow_status (workflow_uuid) values ('j1')")
    settings = Settings(home=Path("unused"), db=server, sweep_interval=NEVER)

    with pytest.raises(DatabaseBehind, match=r"the engine's tables of revision 100.*migrate"):
        async with Project("test").open(settings=settings):
            pass


async def test_engine_tables_whose_making_broke_off_are_finished(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their first process was killed over it, and hundreds after it refused to begin."""
    from dbos import _migration

    from lampwork import Project

    def broken(*which: Any) -> list[str]:
        return [*made(*which)[:20], "select broken_off"]

    made = _migration.get_dbos_migrations
    with cluster.database(empty=True) as url:
        monkeypatch.setattr(_migration, "get_dbos_migrations", broken)
        with pytest.raises(LampworkError):
            migrate(Server(url))
        monkeypatch.setattr(_migration, "get_dbos_migrations", made)
        settings = Settings(home=Path("unused"), db=url, sweep_interval=NEVER)

        async with Project("test").open(settings=settings) as app:
            assert app.worker.engine


@pytest.mark.parametrize("verb", [migrate, Store])
def test_tables_of_a_newer_version_are_refused_and_left_alone(place: Place, verb: object) -> None:
    Store(place).close()
    with connected(place) as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
        before = described(connection)

    with pytest.raises(DatabaseTooNew, match="revision 9999"):
        verb(place)  # type: ignore[operator]

    with connected(place) as connection:
        assert described(connection) == before


def test_a_migration_waits_for_whoever_reads_and_blocks_nobody_meanwhile(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for its locks all at once, and lets go of them again while one is not to be had."""
    asked_again = threading.Event()
    monkeypatch.setattr(server, "_FOR_A_LOCK", "50ms")
    monkeypatch.setattr(server.time, "sleep", lambda _seconds: asked_again.set())
    with cluster.database(empty=True) as url:
        make(Server(url), "0003")
        done: list[Migrated] = []
        migrating = threading.Thread(target=lambda: done.append(migrate(Server(url))))
        with (
            closing(psycopg.connect(url)) as reader,
            closing(psycopg.connect(url, autocommit=True)) as other,
        ):
            reader.execute("select count(*) from lampwork.briefings")  # its lock is kept
            migrating.start()
            assert asked_again.wait(60)
            other.execute("set statement_timeout = '60s'")
            other.execute("select count(*) from lampwork.jobs")
            other.execute("update lampwork.jobs set want = 'run'")
            assert done == []
            reader.rollback()
            migrating.join(60)
        assert [each.before for each in done] == ["0003"]


def test_a_migration_that_gets_no_lock_changes_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_FOR_A_LOCK", "50ms")
    monkeypatch.setattr(server, "_PATIENCE", 0.0)
    with cluster.database(empty=True) as url:
        make(Server(url), "0003")
        with closing(psycopg.connect(url)) as reader:
            reader.execute("select count(*) from lampwork.briefings")
            with pytest.raises(StoreUnavailable, match="nothing was changed"):
                migrate(Server(url))
        with connected(Server(url)) as connection:
            assert server.revision(connection, "lampwork") == "0003"


def test_a_migration_whose_session_the_server_ends_is_begun_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """*It ends that of whoever rests in a transaction, as one does on a busy machine.*"""
    begun: list[str] = []
    sort = server._sort_by_bytes

    def sort_when_begun_again(connection: sa.Connection, schema: str) -> None:
        begun.append(schema)
        if len(begun) == 1:
            cluster.end_sessions()
        sort(connection, schema)

    with cluster.database(empty=True) as url:
        make(Server(url), "0003")
        monkeypatch.setattr(server, "_sort_by_bytes", sort_when_begun_again)

        assert migrate(Server(url)).before == "0003"

        assert len(begun) == 2
        assert differences(Server(url)) == []


def test_migrations_that_begin_together_go_in_turn(cluster: Cluster) -> None:
    with cluster.database(empty=True) as url:
        make(Server(url), "0002")
        done: list[Migrated] = []
        both = [
            threading.Thread(target=lambda: done.append(migrate(Server(url)))) for _ in range(3)
        ]
        for each in both:
            each.start()
        for each in both:
            each.join(60)

        assert sorted(str(each.before) for each in done) == ["0002", HEAD, HEAD]
        assert differences(Server(url)) == []


def test_a_server_of_too_old_a_version_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_OLDEST", 99)
    with cluster.database(empty=True) as url:
        for verb in (Store, migrate):
            with pytest.raises(DatabaseNotSupported, match=r"is PostgreSQL \d+.*needs PostgreSQL"):
                verb(Server(url))


def test_a_database_that_can_not_hold_all_text_is_refused(cluster: Cluster) -> None:
    with cluster.connect("postgres") as connection:
        connection.execute(
            "create database latin owner lamp template template0 encoding 'LATIN1'"
            " locale_provider libc locale 'C'"
        )
    try:
        with pytest.raises(DatabaseNotSupported, match="LATIN1"):
            Store(Server(cluster.url("latin")))
    finally:
        with cluster.connect("postgres") as connection:
            _when_nobody_is_in_it(connection, "drop database latin")
