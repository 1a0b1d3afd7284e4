"""The clock of a process that follows a database's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lampwork import clock
from lampwork.store import server_time
from lampwork.store.server_time import ServerTime
from lampwork.testing.clock import FakeClock


@pytest.fixture
def server_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerTime]:
    monkeypatch.setattr(server_time, "_EVERY", 0.0)
    followed = ServerTime()
    yield followed
    followed.close()


def an_hour_ahead() -> float:
    return time.time() + 3600


def about(moment: float) -> object:
    """Less far than any two clocks here are apart, however long the machine stood still."""
    return pytest.approx(moment, abs=600)


def test_it_goes_by_the_databases_time_until_that_is_closed(server_clock: ServerTime) -> None:
    assert clock.now() == about(time.time())

    server_clock.measure(an_hour_ahead)
    assert clock.now() == about(time.time() + 3600)

    server_clock.close()
    assert clock.now() == about(time.time())


def test_what_is_done_to_the_machines_clock_does_not_move_it(
    server_clock: ServerTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_clock.measure(an_hour_ahead)
    before = clock.now()

    monkeypatch.setattr(clock.time, "time", lambda: 0.0)

    assert before <= clock.now() == about(before)


def test_an_answer_that_took_long_does_not_move_a_clock_that_agrees_with_it(
    server_clock: ServerTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment of the answer is not known better than its way took."""
    steady = 1000.0

    def answering(after: float, ahead: float) -> float:
        nonlocal steady
        steady += after  # the question is on its way, and nothing of the answer is
        return steady + ahead

    monkeypatch.setattr(server_time.time, "monotonic", lambda: steady)
    server_clock.measure(lambda: answering(0.0, 50.0))
    now = clock.now()
    assert now == steady + 50.0

    server_clock.measure(lambda: answering(4.0, 50.0))
    assert clock.now() == steady + 50.0

    server_clock.measure(lambda: answering(0.0, 49.0))
    assert clock.now() == steady + 49.0


def test_of_two_databases_the_first_one_counts_while_it_is_open(server_clock: ServerTime) -> None:
    server_clock.measure(an_hour_ahead)
    other = ServerTime()
    other.measure(lambda: 100.0)
    assert clock.now() == about(time.time() + 3600)

    server_clock.close()
    assert clock.now() == about(100.0)

    other.close()
    assert clock.now() == about(time.time())


def test_the_clock_of_a_test_stands_above_it(server_clock: ServerTime) -> None:
    own = FakeClock()
    with clock.using(own):
        server_clock.measure(an_hour_ahead)
        assert clock.now() == own.time.timestamp()
    assert clock.now() == about(time.time() + 3600)


def test_it_is_not_asked_at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_time, "_EVERY", 3600.0)  # between the two a machine may rest
    followed = ServerTime()
    asked: list[int] = []

    def ask() -> float:
        asked.append(1)
        return time.time()

    followed.measure(ask)
    followed.measure(ask)
    followed.close()

    assert len(asked) == 1
