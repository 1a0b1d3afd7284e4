"""Brings the tables in a schema of a Postgres database up to date."""

from __future__ import annotations

import time

import sqlalchemy as sa

from lampwork.errors import DatabaseBehind, DatabaseNotSupported, StoreUnavailable
from lampwork.place import Server
from lampwork.refusals import LOCK_NOT_AVAILABLE, sqlstate, told
from lampwork.store.migrations import HEAD, check_known, upgrade

IN_TURN = 0x6C616D70
"""The advisory lock under which processes write, one transaction at a time."""

_OLDEST = 15
"""The first version of Postgres that all of this is tested with."""

_FOR_A_LOCK = "1s"
"""How long others may have to wait behind us for a table that somebody reads."""

_PATIENCE = 60.0
"""Seconds for which it is tried again to get all the locks at once."""

_REST = 0.5
"""Seconds for those who had to wait behind us, before it is tried again."""


def prepare(engine: sa.Engine, place: Server, schema: str) -> None:
    """Make the tables if there are none.

    Raises DatabaseNotSupported, DatabaseBehind, DatabaseTooNew, DatabaseNotWritable,
    StoreUnavailable.
    """
    found = found_at(engine, place, schema)
    check_known(found, place, "name another database with --db")
    if found is None:
        migrate(engine, place, schema)
    elif found != HEAD:
        raise behind(place, f"has tables of revision {found}", HEAD)


def found_at(engine: sa.Engine, place: Server, schema: str) -> str | None:
    """The revision of the tables; None if there are none. Nothing is changed.

    Raises DatabaseNotSupported, DatabaseNotWritable, StoreUnavailable.
    """
    with told(place), engine.begin() as connection:
        _check_server(connection, place)
        return revision(connection, schema)


def behind(place: Server, found: str, needed: str) -> DatabaseBehind:
    """What to say of tables that are too old."""
    return DatabaseBehind(
        f"{place} {found}, and this Lampwork needs {needed}. "
        "Bring them up to date; workers of the version before may go on meanwhile: lampwork migrate"
    )


def migrate(engine: sa.Engine, place: Server, schema: str) -> str | None:
    """Make the tables, or bring them up to date; the revision that they had.

    All in one transaction that waits for no lock longer than _FOR_A_LOCK, because everybody who
    wants the table then waits behind it; rather it begins again. Raises DatabaseTooNew,
    DatabaseNotWritable, StoreUnavailable.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            with told(place), engine.begin() as connection:
                _check_server(connection, place)
                return _migrate(connection, place, schema)
        except StoreUnavailable as error:
            if sqlstate(error.__cause__ or error) != LOCK_NOT_AVAILABLE:
                raise
            if time.monotonic() > until:
                raise StoreUnavailable(
                    f"{place}: somebody has kept the tables locked for {_PATIENCE:.0f} s, so "
                    "nothing was changed. End the longest transaction (pg_stat_activity) and "
                    "try again."
                ) from error
        time.sleep(_REST)


def _migrate(connection: sa.Connection, place: Server, schema: str) -> str | None:
    connection.exec_driver_sql(f"set local lock_timeout = '{_FOR_A_LOCK}'")
    # Nobody who writes holds rows that we then wait for, and two migrations go in turn.
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(IN_TURN)))
    found = revision(connection, schema)
    check_known(found, place, "name another database with --db")
    if found != HEAD:
        if found is None:
            connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        upgrade(connection)
        _sort_by_bytes(connection, schema)
    return found


def revision(connection: sa.Connection, schema: str) -> str | None:
    """That of the tables; None if there are none."""
    table = sa.table("alembic_version", sa.column("version_num"), schema=schema)
    if connection.execute(sa.select(sa.func.to_regclass(str(table)))).scalar() is None:
        return None
    return connection.execute(sa.select(table.c.version_num)).scalar()


def _check_server(connection: sa.Connection, place: Server) -> None:
    query = "select version(), current_setting('server_version_num'), current_setting('{}')"
    name, number, encoding = connection.exec_driver_sql(query.format("server_encoding")).one()
    if not name.startswith("PostgreSQL") or int(number) < _OLDEST * 10_000:
        found = " ".join(name.split()[:2])
        raise DatabaseNotSupported(
            f"{place} is {found}; Lampwork needs PostgreSQL {_OLDEST} or newer."
        )
    if encoding != "UTF8":
        raise DatabaseNotSupported(
            f"{place} keeps its text in {encoding}, which can't hold all of it. "
            "Make a database with: create database NAME encoding 'UTF8' template template0"
        )


def _sort_by_bytes(connection: sa.Connection, schema: str) -> None:
    """Let text be compared by its bytes, whatever language the database sorts by.

    Ids and cursors are in their order then, as on SQLite, and comparing them costs less.
    """
    columns = sa.text(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = :schema and data_type = 'text'"
        " and collation_name is distinct from 'C'"
    )
    quoted = connection.dialect.identifier_preparer.quote
    for table, column in connection.execute(columns, {"schema": schema}).all():
        connection.exec_driver_sql(
            f"alter table {quoted(schema)}.{quoted(table)}"
            f' alter column {quoted(column)} type text collate "C"'
        )
