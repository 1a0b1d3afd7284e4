"""Orders: what people have done about subtasks of a round, by hand, one after the other.

Each has the next number, whoever gives it; the last one says that the round takes no more of them.
An order is a wait that was never opened and its answer, so the round hears of it wherever it runs,
and a parked one is woken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lampwork import clock
from lampwork.store.jobs import inbox
from lampwork.store.jobs.inbox import Delivery
from lampwork.store.schema import inbox as inbox_table
from lampwork.store.schema import jobs, waits
from lampwork.types import Json, wait_id

__all__ = ["CLOSED", "Order", "close", "give", "given", "order_id"]

CLOSED = "closed"

_given = (
    sa.select(inbox_table.c.value)
    .join(waits, waits.c.id == inbox_table.c.wait_id)
    .where(waits.c.job_id == sa.bindparam("round"), waits.c.kind == "order")
    .order_by(inbox_table.c.id)
)


@dataclass(frozen=True, slots=True)
class Order:
    """What a person has said of a subtask."""

    number: int
    verb: str
    """`answer`, `reassign`, `retry` or `skip`; `closed` at the end."""
    subtask: str
    by: str
    at: float
    reason: str
    agent: str | None
    answer: dict[str, Json] | None
    """`output` and `response`."""

    def says_the_same(self, other: Order) -> bool:
        """Whether somebody has said something twice."""
        return _said(self) == _said(other)


def _said(order: Order) -> tuple[Any, ...]:
    return order.verb, order.subtask, order.by, order.reason, order.agent, order.answer


def order_id(round: str, number: int) -> str:
    """Under which a round hears of its order of a number."""
    return wait_id(round, 0, f"o{number}")


def given(connection: sa.Connection, round: str) -> Sequence[Order]:
    """The orders of a round, in their order."""
    return [Order(**row.value) for row in connection.execute(_given, {"round": round})]


def give(connection: sa.Connection, round: str, orchestration: str, order: Order) -> Delivery:
    """Put an order down under its number, which is the next one."""
    want = connection.execute(sa.select(jobs.c.want).where(jobs.c.id == round)).scalar_one()
    id = order_id(round, order.number)
    connection.execute(
        sa.insert(waits).values(
            id=id,
            job_id=round,
            call=0,
            task_id=orchestration,
            kind="order",
            subject={"number": order.number},
            opened_at=clock.now(),
            answered=True,
            parked=want == "parked",
        )
    )
    value: dict[str, Json] = {name: getattr(order, name) for name in Order.__slots__}
    [delivery] = inbox.settle(connection, id, round, value, order.by)
    return delivery


def close(connection: sa.Connection, round: str, orchestration: str, seen: int) -> bool:
    """Take no more orders; False if there is one of which the round has not heard."""
    so_far = given(connection, round)
    if so_far and so_far[-1].verb == CLOSED:
        return True
    if len(so_far) != seen:
        return False
    at = clock.now()
    end = Order(seen + 1, CLOSED, "", by="lampwork", at=at, reason="", agent=None, answer=None)
    give(connection, round, orchestration, end)
    return True
