"""A place from behind: the rows of ours and of the engine, read and changed without Lampwork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from lampwork.place import Folder, Place, Server
from lampwork.settings import Settings

Whose = Literal["lampwork", "dbos"]

_FILES: dict[Whose, str] = {"lampwork": "lampwork.db", "dbos": "engine.db"}


def place_at(home: Path) -> Place:
    """Where the state of a test is that keeps it at `home`, unless it is kept on a server."""
    return Settings(home=home, db=os.environ.get("LAMPWORK_DB")).place


@contextmanager
def tables(place: Path | Place, whose: Whose = "lampwork") -> Iterator[sa.Connection]:
    """Our tables, or those of the engine, in one transaction."""
    if isinstance(place, Server):
        options = {"options": f"-c search_path={whose}"}
        engine = sa.create_engine(place.for_driver(), connect_args=options)
    else:
        folder = place.path if isinstance(place, Folder) else place
        file = f"sqlite:///{folder / _FILES[whose]}"
        engine = sa.create_engine(file, connect_args={"timeout": 60})  # who writes may rest
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def rows(place: Path | Place, query: str, whose: Whose = "lampwork") -> list[tuple[Any, ...]]:
    """What a query gives, in SQL that both databases take."""
    with tables(place, whose) as connection:
        return [tuple(each) for each in connection.exec_driver_sql(query)]


def holding(home: Path, what: str) -> list[str]:
    """The files of a folder, or the tables of a server, that hold it in their bytes."""
    if isinstance(place := place_at(home), Server):
        return [name for whose in _FILES for name in _tables_holding(place, whose, what)]
    return [
        file.name
        for file in sorted(home.rglob("*"))
        if file.is_file() and what.encode() in file.read_bytes()
    ]


def _tables_holding(server: Server, whose: Whose, what: str) -> list[str]:
    like = {"text": f"%{what}%", "bytes": f"%{what.encode().hex()}%"}  # as bytes are shown
    with tables(server, whose) as connection:
        names = sa.inspect(connection).get_table_names()
        assert len(names) > 10
        held = 'select exists (select 1 from "{}" as one where {})'
        either = "cast(one as text) like :text or cast(one as text) like :bytes"
        return [
            name
            for name in names
            if connection.execute(sa.text(held.format(name, either)), like).scalar()
        ]
