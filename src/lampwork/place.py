"""Where the state of projects is kept: in a folder, or in a database on a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lampwork.errors import DatabaseUrlInvalid

__all__ = ["Folder", "Place", "Server"]

_SHOWN = ("host", "hostaddr", "port", "sslmode", "connect_timeout", "target_session_attrs")
"""Options of a URL that say where it leads; what is misspelt among the others may be a password."""

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with two SQLite files, for the processes of one machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Server:
    """A Postgres database, for as many machines as reach it."""

    url: str
    """`postgresql://user:password@host:port/database`, with libpq's options as its query."""

    def __post_init__(self) -> None:
        """Raise DatabaseUrlInvalid, which repeats nothing of it: a password may be anywhere."""
        if (wrong := _wrong_with(self.url)) is not None:
            raise DatabaseUrlInvalid(
                "The database is named as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
                f"and {wrong}."
            )

    def __str__(self) -> str:
        """The URL without what may be a password, for people and logs."""
        url = _parsed(self.url)
        shown = url.create(
            "postgresql",
            url.username,
            host=url.host,
            port=url.port,
            database=url.database,
            query={name: value for name, value in url.query.items() if name in _SHOWN},
        )
        return shown.render_as_string()

    def __repr__(self) -> str:
        return f"Server({str(self)!r})"

    def for_driver(self, **options: str) -> Any:
        """The URL as SQLAlchemy takes it, with libpq's `options` where it does not say them."""
        url = _parsed(self.url).set(drivername="postgresql+psycopg")
        return url.update_query_dict(
            {name: value for name, value in options.items() if name not in url.query}
        )

    def session(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Arguments of the driver that begin a session with these settings, and the URL's own."""
        given = _parsed(self.url).query.get("options", ())
        theirs = (given,) if isinstance(given, str) else given
        ours = (f"-c {name}={value}" for name, value in settings.items())
        return {"options": " ".join((*theirs, *ours))}


Place = Folder | Server
"""One or the other."""


def _wrong_with(url: str) -> str | None:
    scheme, found, _ = url.partition("://")
    if not found or scheme not in _SCHEMES:
        return "this does not begin with postgresql://; a folder is named with --home, or home="
    try:
        parsed = _parsed(url)
    except ValueError:
        return "the port of this is no number"
    if url.partition("?")[0].count("@") > 1:
        return "in a password @ is written as %40, and / as %2F"
    if not parsed.database:
        return "this names no database"
    return None


def _parsed(url: str) -> Any:
    # 0.1 s to import, which commands that open no database must not take.
    import sqlalchemy as sa

    return sa.make_url(url)
