"""Jobs that are kept on older code, for `lampwork dev`, which lets old and new execute in turns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lampwork.store.jobs import kept
from lampwork.store.jobs import unfinished as rows

if TYPE_CHECKING:
    from lampwork.store.store import Store


async def keep(store: Store, root_ids: Iterable[str], code: str) -> None:
    """Let these jobs, and all below them, be executed by this code alone."""
    await store.write(kept.keep, root_ids, code)


async def release_all(store: Store, project: str, code: str) -> None:
    """This code is the one of today: nothing has to be kept on it."""
    await store.write(kept.release_all, project, code)


async def movable(store: Store, project: str) -> dict[str, str]:
    """By id, the code of the kept jobs that could go on if it executed now."""
    return await store.read(kept.movable, project)


async def in_use(store: Store) -> set[str]:
    """The code, of whatever project, that unfinished jobs are kept on."""
    return await store.read(kept.in_use)


async def unfinished(store: Store, project: str) -> int:
    """How many jobs have not ended, without those below others."""
    return await store.read(rows.tops, project)


async def state(store: Store, project: str) -> tuple[Any, ...] | None:
    """What changes when one of the jobs that are not kept moves; None while one executes."""
    return await store.read(rows.state, project)
