"""Erasing a person: what was said, given, saved and recorded; tombstones of the work stay.

Each transaction is short. What is interrupted is gone on with when it is asked for again, and what
was begun of it is also finished by the next `lampwork prune`, see `store/upkeep/remains.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lampwork import failpoint
from lampwork.acting import actor
from lampwork.errors import ErasureRefused, InputInvalid
from lampwork.store.people import audit
from lampwork.store.store import Store
from lampwork.store.upkeep import erase, prune, quiet
from lampwork.store.upkeep.erase import Found, Person
from lampwork.store.upkeep.prune import Amount, Group
from lampwork.types import Json
from lampwork.upkeep import pruning

__all__ = ["Erasure", "Person", "carry_out", "person", "plan"]

_LOOKED_THROUGH = 1000
"""Rows in one read."""

_JOBS = 100
"""Jobs that one transaction makes tombstones of."""

_CONVERSATIONS = 50
"""Conversations that one transaction removes."""

_CANCELLED_WITHIN = 30.0
"""Seconds for which it is waited for cancelled jobs to end: three times the grace."""

_LOOK_AGAIN = 0.1

_SHOWN = 5
"""Jobs that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What there is of a person, and would go."""

    amount: Amount
    unfinished: tuple[str, ...]
    """The roots of the trees that must end first."""
    jobs: tuple[str, ...] = field(repr=False)
    """The roots of the trees that are about the person."""
    linked: tuple[str, ...] = field(repr=False)
    """Those of others that go with them."""
    conversations: tuple[str, ...] = field(repr=False)


def person(user: str | None, metadata: Mapping[str, Json] | None) -> Person:
    """Who is meant. Raises InputInvalid if nobody is."""
    if user is None and not metadata:
        raise InputInvalid("Say who is to be erased: user=, or metadata={key: value}.")
    return Person(user=user, metadata=dict(metadata or {}))


async def plan(store: Store, who: Person) -> Erasure:
    """What there is of a person; nothing is changed."""
    found = await _find(store, who)
    spread = await store.read(erase.spread, found)
    roots, talks = sorted(spread.roots), sorted(spread.conversations)
    count = len(await store.read(erase.jobs_of, roots))
    said = Amount()
    for start in range(0, len(talks), _CONVERSATIONS):
        said += await store.read(quiet.amount, talks[start : start + _CONVERSATIONS])
    trees = await store.read(prune.amount, [Group(frozenset([each]), 0) for each in roots])
    return Erasure(
        amount=replace(trees + said, jobs=count),
        unfinished=tuple(await store.read(erase.unfinished, roots)),
        jobs=tuple(sorted(found.roots)),
        linked=tuple(sorted(spread.roots - found.roots)),
        conversations=tuple(talks),
    )


async def carry_out(
    store: Store,
    who: Person,
    *,
    cancel: bool = False,
    tell: Callable[[list[str]], None] = lambda _: None,
) -> Amount:
    """Erase what there is of a person, until nothing is found any more; how much it was.

    Work that has not ended is cancelled before, with `cancel`; `tell` hears of which jobs. Raises
    ErasureRefused without, or if it does not end: then nothing of that is erased.
    """
    gone = Amount()
    await pruning.finish(store)
    while (there := await plan(store, who)).jobs or there.conversations:
        if there.unfinished:
            await _end(store, there.unfinished, cancel=cancel, tell=tell)
            continue  # its end may have started more
        await _erase(store, there)
        gone += there.amount
    await _blank(store, who)
    return gone


async def _blank(store: Store, who: Person) -> None:
    """What the audit log says of them goes; that something was done stays, and the chain whole.

    That entry itself is left for who erases themselves: it says who has done it.
    """
    if who.user is None:
        return
    naming = await store.read(audit.naming, who.user)
    for start in range(0, len(naming), _JOBS):
        await store.write(audit.blank, naming[start : start + _JOBS], actor())


async def _find(store: Store, who: Person) -> Found:
    found = Found(conversations=set(await store.read(erase.find_in_chats, who)))
    for find in (erase.find_in_tasks, erase.find_in_jobs):
        after: str | None = ""
        while after is not None:
            more, after = await store.read(find, who, after=after, limit=_LOOKED_THROUGH)
            found.roots |= more.roots
            found.conversations |= more.conversations
    return found


async def _end(
    store: Store,
    roots: tuple[str, ...],
    *,
    cancel: bool,
    tell: Callable[[list[str]], None],
) -> None:
    """Cancel what has not ended, and wait for it. Raises ErasureRefused."""
    shown = ", ".join(roots[:_SHOWN]) + (" …" if len(roots) > _SHOWN else "")
    if not cancel:
        raise ErasureRefused(
            f"Nothing was erased: work for this person has not ended: {shown}. Wait until it has, "
            "or cancel it: cancel=True, --cancel.",
            jobs=list(roots),
        )
    tell(await store.write(erase.cancel, roots))
    until = time.monotonic() + _CANCELLED_WITHIN
    while await store.read(erase.unfinished, roots):
        if time.monotonic() > until:
            raise ErasureRefused(
                f"Nothing was erased: {shown} is being cancelled and has not ended after "
                f"{_CANCELLED_WITHIN:.0f} s. A worker ends it: let one execute (lampwork worker), "
                "then erase again.",
                jobs=list(roots),
            )
        await asyncio.sleep(_LOOK_AGAIN)


async def _erase(store: Store, there: Erasure) -> None:
    # What names the person goes last, so that all is found again after a crash.
    for start in range(0, len(there.conversations), _CONVERSATIONS):
        await store.write(erase.remove, there.conversations[start : start + _CONVERSATIONS])
        failpoint.hit("erase.removed")
    for roots in (there.linked, there.jobs):
        while ids := await store.read(erase.jobs_of, roots, limit=_JOBS):
            await store.write(erase.scrub, ids)
            failpoint.hit("erase.scrubbed")
    await pruning.finish(store)
    failpoint.hit("erase.deleted")
