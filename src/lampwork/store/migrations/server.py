"""Brings the tables in a schema of a Postgres database up to date."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from lampwork.errors import DatabaseBehind, DatabaseNotWritable, StoreUnavailable
from lampwork.place import Server
from lampwork.store.migrations import HEAD, check_known, upgrade

_MIGRATING = 0x6C616D71
"""The advisory lock under which the tables are changed."""


def prepare(engine: sa.Engine, place: Server, schema: str) -> None:
    """Make the tables if there are none.

    Raises DatabaseBehind, DatabaseTooNew, DatabaseNotWritable, StoreUnavailable.
    """
    try:
        with engine.begin() as connection:
            found = _revision(connection, schema)
        check_known(found, place, "name another database with --db")
        if found is None:
            migrate(engine, schema)
        elif found != HEAD:
            raise DatabaseBehind(
                f"{place} has tables of revision {found}, and this Lampwork needs {HEAD}. "
                "Type: lampwork migrate"
            )
    except OperationalError as error:
        raise StoreUnavailable(f"{place} can't be reached: {error.orig}") from error
    except DBAPIError as error:
        raise DatabaseNotWritable(
            f"{place} does not let its tables be made: {error.orig} "
            "The role must own the database, or have the right to create schemas in it."
        ) from error


def migrate(engine: sa.Engine, schema: str) -> None:
    """Make the tables, or bring them up to date, in one transaction."""
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
        if _revision(connection, schema) == HEAD:
            return
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        upgrade(connection)
        _sort_by_bytes(connection, schema)


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


def _revision(connection: sa.Connection, schema: str) -> str | None:
    table = sa.table("alembic_version", sa.column("version_num"), schema=schema)
    if connection.execute(sa.select(sa.func.to_regclass(str(table)))).scalar() is None:
        return None
    return connection.execute(sa.select(table.c.version_num)).scalar()
