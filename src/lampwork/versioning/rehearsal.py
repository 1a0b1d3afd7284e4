"""A rehearsal: the recipe of an unfinished job, led through what is on record, and no further.

Each branch of it stops at its first call that is on no record. Nothing of any call is done. So it
shows whether the code of today would come to where the job stands, and it needs neither the engine
nor the network; what a recipe does outside of its job's calls happens, as on every replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampwork.errors import StoreUnavailable
from lampwork.outcome import outcome_of, prepared
from lampwork.runs.flow import Flow, RunEnded
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.project import Project
    from lampwork.runs.call import Call
    from lampwork.runs.wait import Wait
    from lampwork.store.jobs import jobs
    from lampwork.store.store import Store

_LEAVING = 1.0
"""Seconds that a recipe gets to leave its code when its rehearsal is over."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a job would not go on with the code as it is now."""

    why: str
    call: int | None = None
    """The first call that differs."""


class Rehearsal(Flow):
    """A recipe on its way to where its job stands."""

    def __init__(self, project: Project, store: Store, begun: jobs.Begun) -> None:
        super().__init__(begun)
        self._project = project
        self._store = store
        self.difference: Difference | None = None
        self.stands_at: list[Call[Any]] = []
        """The calls at which its branches have stopped."""
        self.at_rest = asyncio.Event()

    @property
    def project(self) -> Project:
        """The project whose code is rehearsed."""
        return self._project

    @property
    def store(self) -> Store:
        """The database; it is only read."""
        return self._store

    def require_model(self, genie: Genie) -> None:
        """Nobody is asked, so no key is needed here."""

    def log(self, message: str) -> bool:
        """Nothing is kept."""
        return False

    def on_end(self, callable: str, input: Json) -> None:
        """Nothing is registered."""

    def differ(self, why: str, *, at: int | None = None) -> RunEnded:
        """That is what was looked for. Returns what to raise."""
        if self.difference is None:
            self.difference = Difference(why, at)
        self.ended = "attention"
        return RunEnded(self.job_id, "attention")

    def unavailable(self, error: BaseException) -> RunEnded:
        """The database can't be read. Returns what to raise."""
        self.ended = "infrastructure"
        return RunEnded(self.job_id, "infrastructure")

    async def _unrecorded(self, call: Call[Any]) -> str:
        self.stands_at.append(call)
        with self.paused():
            return await asyncio.get_running_loop().create_future()

    async def heard(self, wait: Wait, has_come: Callable[[], Awaitable[bool]]) -> None:
        """Nobody is heard, but for what was said already."""
        if not await has_come():
            with self.paused():
                await asyncio.get_running_loop().create_future()

    async def changed(self, change: Callable[..., bool], *what: Any) -> bool:
        """Nothing is changed: what comes after is in the future."""
        with self.paused():
            return await asyncio.get_running_loop().create_future()

    def _came_to_rest(self) -> None:
        self.at_rest.set()

    @property
    def has_begun(self) -> bool:
        """Whether anything of the job is on record."""
        return bool(self._begun)

    def not_made(self) -> Difference | None:
        """What it stands without, although it was begun; asked when it has come to rest."""
        if not (missing := self.missing):
            return None
        names = ", ".join(f"{self._begun[n].kind} {self._begun[n].name}" for n in missing)
        return Difference(
            f"its code goes on without the calls that were begun: {names}. "
            "Bring them back, or cancel the job.",
            missing[0],
        )


async def rehearse(rehearsal: Rehearsal, *, patience: float) -> Difference | None:
    """Lead a recipe to where its job stands; why it does not get there, if it does not.

    After `patience` seconds it is given up. Raises StoreUnavailable.
    """
    leading = rehearsal.main = asyncio.create_task(_lead(rehearsal))
    resting = asyncio.create_task(rehearsal.at_rest.wait())
    try:
        done, _ = await asyncio.wait(
            {leading, resting}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        if rehearsal.difference is not None:
            return rehearsal.difference
        if not done:
            return not_in_time(patience)
        if leading in done:
            error = leading.exception()
            if isinstance(error, RunEnded):
                raise StoreUnavailable("The copy of the database can't be read.") from error
            if error is not None:
                raise error
        return rehearsal.not_made()
    finally:
        rehearsal.ended = rehearsal.ended or "closing"
        resting.cancel()
        leading.cancel()
        await asyncio.wait({leading}, timeout=_LEAVING)
        if leading.done() and not leading.cancelled():
            leading.exception()  # seen


def not_in_time(patience: float) -> Difference:
    """Why a recipe was given up."""
    return Difference(
        f"its recipe did not come to where the job stands within {patience:g} s: it does something "
        "that takes time outside of its job's calls. Do it in a job.step(…)."
    )


async def _lead(rehearsal: Rehearsal) -> None:
    if not rehearsal.has_begun:
        await prepared(rehearsal)  # no call was made yet: what its code does is in the future
        return
    await rehearsal.require_all_begun(await outcome_of(rehearsal))
