"""The connections of a process to a server, cut so that nobody waits at one."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from lampwork.connections import cut, keep_track
from lampwork.errors import StoreUnavailable
from lampwork.place import Server


@pytest.fixture
def engine(server: str) -> Any:
    place = Server(server)
    engine = sa.create_engine(place.for_driver())
    keep_track(engine, place)
    yield engine
    engine.dispose()


def test_who_waits_at_a_connection_hears_when_it_is_cut(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        cut(engine)

        with pytest.raises(sa.exc.OperationalError):
            connection.exec_driver_sql("select 1")
        connection.invalidate()

    with pytest.raises(StoreUnavailable, match="not connected to any more"):
        engine.connect()


def test_a_connection_that_is_made_while_they_are_cut_is_cut_as_well(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = engine.dialect.connect

    def connected_too_late(*words: Any, **options: Any) -> Any:
        made = connect(*words, **options)
        cut(engine)
        return made

    monkeypatch.setattr(engine.dialect, "connect", connected_too_late)

    with pytest.raises(sa.exc.OperationalError):
        engine.connect()
