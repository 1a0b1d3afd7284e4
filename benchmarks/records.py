"""What Lampwork has on record at a place, read from outside."""

from __future__ import annotations

from typing import Any

from benchmarks import folder
from benchmarks.systems import Place
from lampwork import Settings


def settings(place: Place, **given: Any) -> Settings:
    """What opens a project there."""
    if place.url is not None:
        given["db"] = place.url
    return Settings.load(home=place.folder, **given)


def rows(place: Place, query: str) -> list[tuple[Any, ...]]:
    """Of our tables. The query is one that SQLite and Postgres both take."""
    if place.url is None:
        return folder.rows(place.folder, query)
    import psycopg

    with psycopg.connect(place.url, options="-c search_path=lampwork") as connection:
        return connection.execute(query).fetchall()


def number(place: Place, query: str) -> int:
    """The one number that a query gives."""
    return rows(place, query)[0][0]
