"""`lampwork migrate`: what it does, and what it says."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import psycopg
from tests.postgres import Cluster

from lampwork.store.migrations import HEAD


def test_on_a_server_without_tables_it_makes_them(lampwork: Any, cluster: Cluster) -> None:
    with cluster.database(empty=True) as url:
        made = lampwork("migrate", "--db", url)
        again = lampwork("migrate", "--db", url)
        told = lampwork.json("migrate", "--db", url)

        assert lampwork("jobs", "--db", url).code == 0
    assert (made.code, again.code) == (0, 0)
    assert f"its tables are made, of revision {HEAD}, and those of the engine" in made.out
    assert again.out == f"{url}: {_unchanged()}\n"
    assert told == {
        "before": HEAD,
        "now": HEAD,
        "engine_before": told["engine_now"],
        "engine_now": told["engine_now"],
        "changed": False,
    }


def test_a_server_that_is_behind_is_refused_until_then(lampwork: Any, server: str) -> None:
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute("update lampwork.alembic_version set version_num = '0001'")
        refused = lampwork("jobs", "--json", "--db", server)
        by_variable = lampwork("jobs", LAMPWORK_DB=server)
        looked = lampwork("doctor", "--json", "--db", server).json["items"]
        connection.execute("update lampwork.alembic_version set version_num = '9999'")
        newer = lampwork("migrate", "--json", "--db", server)

    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (1, "database_behind")
    typed = f"lampwork migrate --db {server}"
    assert json.loads(refused.out)["error"]["message"].endswith(f"go on meanwhile: {typed}")
    assert by_variable.err.endswith("go on meanwhile: lampwork migrate\n")
    assert f"Type: {typed}" in [each["mend"] for each in looked]
    assert (newer.code, json.loads(newer.out)["error"]["code"]) == (1, "database_too_new")


def test_a_folder_is_brought_up_to_date(lampwork: Any) -> None:
    lampwork.queue("run", "add", "--input", '{"a": 1}')
    assert _unchanged() in lampwork("migrate").out

    home = lampwork.folder / ".lampwork"
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
        connection.commit()

    refused = lampwork("migrate")

    assert refused.code == 1
    assert "revision 9999" in refused.err


def test_in_an_empty_folder_there_is_nothing_to_do(lampwork: Any) -> None:
    told = lampwork("migrate")

    assert (told.code, told.err) == (0, "")
    assert "there are no tables yet; the first job makes them." in told.out
    assert not (lampwork.folder / ".lampwork").exists()


def _unchanged() -> str:
    return f"the tables are of revision {HEAD}, as they should be. Nothing was changed."
