"""Who acts: the person or the key in whose name something is changed, for the audit log.

    with acting("ann@example.org", address="10.0.0.7"):
        await door.cancel(job_id)

What code does by itself is in nobody's name. Jobs run in a context of their own: what they do is
theirs, whoever started them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["Actor", "acting", "actor", "counted_as"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from which address."""

    name: str
    address: str


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


def actor() -> Actor | None:
    """Who acts here; None if nobody does."""
    return _actor.get()


@contextmanager
def acting(name: str, *, address: str) -> Generator[None]:
    """What is changed inside is changed in this name."""
    token = _actor.set(Actor(name, address))
    try:
        yield
    finally:
        _actor.reset(token)


def counted_as(address: str) -> str:
    """What an address counts as where attempts are counted: of IPv6 its /64, all of which one
    connection has (RFC 6177)."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((int(found), 64), strict=False))
    return address
