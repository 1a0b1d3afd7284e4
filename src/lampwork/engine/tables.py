"""The engine's own tables: made when there are none, of which revision they are, and what DBOS has
no question for."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import sqlalchemy as sa
from dbos import DBOS
from dbos._migration import get_migration_versions, get_sqlite_migration_versions

from lampwork.engine.database import open_tables, url_of
from lampwork.errors import DatabaseBehind
from lampwork.place import Folder, Place, Server
from lampwork.refusals import persistently, told

_SCHEMA = "dbos"

_UNFINISHED = ("PENDING", "ENQUEUED")


def prepare_tables(place: Place) -> None:
    """Make the engine's tables if there are none; those in a folder are brought up to date, too.

    Tables that hold no job are ones that are being made, by a process beside this one or by one
    that was killed over it: they are finished. Blocks. Raises DatabaseBehind, DatabaseNotWritable,
    StoreUnavailable.
    """
    if isinstance(place, Server):
        found, needed = _revisions(place)
        if 0 < found < needed and _hold_jobs(place):
            found, needed = _revisions(place)  # they may have been finished before it came
            if found < needed:
                raise DatabaseBehind(
                    f"{place} has the engine's tables of revision {found}, and this Lampwork needs "
                    f"{needed}. Bring them up to date: lampwork migrate"
                )
        if found >= needed:
            return
    migrate_tables(place)


def migrate_tables(place: Place) -> tuple[int, int]:
    """Make the engine's tables, or bring them up to date: the revisions before and after.

    Changes that take long are made without a lock, one by one. Blocks. Raises
    DatabaseNotWritable, StoreUnavailable.
    """
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    found, needed = persistently(lambda: _revisions(place))
    if found < needed:
        with told(place):
            DBOS.migrate(url_of(place))
    return found, max(found, needed)


def unfinished_rows(database: sa.Engine, elsewhere: Mapping[str, str]) -> list[str]:
    """The jobs that are not at executors of `elsewhere`, nor queued for the code of one.

    DBOS lists those of executors that are named, or all. It has indexes of such rows alone.
    """
    schema = _SCHEMA if database.dialect.name == "postgresql" else None
    names = ("workflow_uuid", "status", "executor_id", "application_version")
    row = sa.table("workflow_status", *map(sa.column, names), schema=schema).c
    # Not as parameters: the server must see that an index has them all.
    runs, is_queued = (row.status == sa.literal_column(f"'{each}'") for each in _UNFINISHED)
    query = sa.select(row.workflow_uuid).where(
        sa.or_(
            runs & row.executor_id.not_in(list(elsewhere)),
            is_queued & row.application_version.not_in(list(set(elsewhere.values()))),
        )
    )
    with database.begin() as connection:
        return list(connection.execute(query).scalars())


def _hold_jobs(place: Place) -> bool:
    table = sa.table("workflow_status", schema=_SCHEMA)
    engine = open_tables(place)
    try:
        with told(place), engine.begin() as connection:
            if connection.execute(sa.select(sa.func.to_regclass(str(table)))).scalar() is None:
                return False
            return connection.execute(sa.select(sa.exists().select_from(table))).scalar_one()
    finally:
        engine.dispose()


def _revisions(place: Place) -> tuple[int, int]:
    """That of the engine's tables, 0 without any, and the one that they should have."""
    engine = open_tables(place)
    try:
        with told(place):
            if isinstance(place, Folder):
                return get_sqlite_migration_versions(engine)
            return get_migration_versions(engine, _SCHEMA, use_listen_notify=False)
    finally:
        engine.dispose()
