"""What the shop works on, and the services that it works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel
from typing_extensions import TypedDict


@dataclass(frozen=True)
class Order:
    """A book that was bought."""

    id: str
    title: str
    price: Decimal


class Verdict(BaseModel):
    """What is to be done about a return."""

    status: Literal["refund", "exchange", "refuse"]
    reason: str


class Parcel(TypedDict):
    """A parcel on its way."""

    tracking: str
    grams: int


@dataclass(frozen=True)
class Refund:
    """Money that was given back."""

    order_id: str
    key: str


ORDERS = {
    "o-1001": Order("o-1001", "Moby-Dick", Decimal("12.50")),
    "o-1002": Order("o-1002", "Emma", Decimal("9.00")),
}


def find(order_id: str) -> Order:
    """An order of the shop."""
    return ORDERS[order_id]


async def returned(*, at_most: int = 100) -> list[Order]:
    """The orders that have come back."""
    await asyncio.sleep(0)
    return list(ORDERS.values())[:at_most]


def weigh(order: Order, *, wrapped: bool = False) -> int:
    """The weight of an order in grams."""
    return len(order.title) * 50 + (80 if wrapped else 0)


def invoice(order: Order) -> bytes:
    """The order's invoice."""
    return f"Invoice of {order.title}".encode()
