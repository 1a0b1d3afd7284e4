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

__all__ = ["Actor", "acting", "actor"]


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
