"""Where the state is: a folder with SQLite, or a Postgres server of our own, which can be hurt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from benchmarks import folder, postgres

Database = Literal["sqlite", "postgres"]
Row = tuple[Any, ...]


class Ground(Protocol):
    """What is on record, read from outside, in SQL that both databases take."""

    settings: dict[str, str]
    """What opens it."""

    def rows(self, query: str) -> list[Row]:
        """Of Lampwork's tables."""
        ...

    def engine_rows(self, query: str) -> list[Row]:
        """Of the engine's."""
        ...

    def sizes(self) -> dict[str, int]:
        """Rows of each table, Lampwork's and the engine's."""
        ...

    def keep(self, place: Path) -> None:
        """See to it that all of it is in this folder, to be looked at later."""
        ...


class Folder:
    def __init__(self, home: Path) -> None:
        self._home = home
        self.settings = {"home": str(home)}

    def rows(self, query: str) -> list[Row]:
        return folder.rows(self._home, query)

    def engine_rows(self, query: str) -> list[Row]:
        return folder.rows(self._home, query, file="engine.db")

    def sizes(self) -> dict[str, int]:
        named = "select name from sqlite_master where type = 'table'"
        return {
            name: rows(f"select count(*) from {name}")[0][0]
            for rows in (self.rows, self.engine_rows)
            for (name,) in rows(named)
        }

    def keep(self, place: Path) -> None:
        """It is there: the home is in it."""


_NAME = "chaos"


class Server:
    def __init__(self, cluster: postgres.Cluster, home: Path) -> None:
        self.cluster = cluster
        self._url = cluster.database(_NAME)
        self.settings = {"home": str(home), "db": self._url}

    def rows(self, query: str) -> list[Row]:
        return self._query("lampwork", query)

    def engine_rows(self, query: str) -> list[Row]:
        return self._query("dbos", query)

    def sizes(self) -> dict[str, int]:
        named = (
            "select schemaname || '.' || tablename from pg_tables "
            "where schemaname in ('lampwork', 'dbos')"
        )
        return {
            name: self.rows(f"select count(*) from {name}")[0][0] for (name,) in self.rows(named)
        }

    def keep(self, place: Path) -> None:
        (place / "database.sql").write_text(self.cluster.dump(_NAME))

    def cut(self, share: float) -> None:
        """Terminate about that share of the connections to the database."""
        self.cluster.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            f"where usename = '{postgres.OWNER}' and random() < {share}"
        )

    def _query(self, schema: str, query: str) -> list[Row]:
        import psycopg  # comes with the extra for Postgres

        with psycopg.connect(self._url, connect_timeout=10) as connection:
            connection.execute(f"set search_path to {schema}")  # pyright: ignore[reportArgumentType]
            return connection.execute(query).fetchall()  # pyright: ignore[reportArgumentType]


@contextmanager
def made(database: Database, place: Path) -> Iterator[Ground]:
    """A fresh one."""
    home = place / "home"
    home.mkdir()
    if database == "sqlite":
        yield Folder(home)
        return
    with postgres.cluster() as cluster:
        yield Server(cluster, home)
