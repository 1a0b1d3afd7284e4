"""A task's hold on its conversation: how it appends, under the epoch that its run has claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from lampwork import clock, failpoint
from lampwork.errors import ArtifactNotFound, StoreUnavailable, quoted
from lampwork.files.artifact import Artifact
from lampwork.store import blobs
from lampwork.store.jobs.inbox import Delivery
from lampwork.store.spending import rates, reservations
from lampwork.store.spending.reservations import Granted, Refused, Spent, Wanted
from lampwork.store.tasks import artifacts, claims, tasks
from lampwork.store.tasks.conversations import Entry, StaleEpoch
from lampwork.tasks.transcript import Transcript
from lampwork.types import Json, TaskStatus

if TYPE_CHECKING:
    from lampwork.runs.run import Run
    from lampwork.tasks.place import Place

__all__ = ["Hold", "StaleEpoch"]

Written = TypeVar("Written")

_ASKED = ("intent", "proposal")
"""Entries by which a skill call counts. The intent of one that was proposed comes by itself."""


class Hold:
    """A task's hold on its conversation, under the epoch that its run has claimed."""

    def __init__(self, run: Run, claim: claims.Claim, transcript: Transcript) -> None:
        own = (transcript.task_id,) if claim.budget_id == transcript.task_id else ()
        self.run = run
        self.task_id = transcript.task_id
        self.claim = claim
        self.conversation_id = claim.conversation_id
        self.budgets = (*own, *run.lineage.budgets)
        """The budgets that count, the nearest first."""
        self.place: Place | None = None
        """Its place among those that its genie works on at a time, if that is limited."""
        self.paced: tuple[rates.Taken, int] | None = None
        """What a model call has taken of its rate and what it came to, until that is settled."""
        self.owed: Spent | None = None
        """What a model call has come to, until it is settled with the next entries."""
        self.epoch = claim.epoch
        self.transcript = transcript
        self._claiming = asyncio.Lock()

    async def append(
        self,
        *new: Entry,
        after: int | None = None,
        status: TaskStatus | None = None,
    ) -> None:
        """Append entries, on disk before anything relies on them.

        `after` is the number that the first must follow. When another claim has come between, this
        run proves that it owns the job and goes on; RunEnded if it does not, StaleEpoch if the
        conversation has changed. What a model call has spent is settled with them, and what the
        intents among them spend; LimitMet if these do not fit, and then nothing was appended.
        """
        at = clock.now()
        how: dict[str, Any] = {"at": at, "after": after, "status": status}
        how |= {"spent": self._spent_by(new), "paced": self.paced}
        first = await self.write(tasks.append, new, **how)
        self.take(first, new, at)
        self._settled()

    async def save_artifact(self, artifact: Artifact, content: bytes, *, call: str) -> None:
        """Save what a skill call has produced; on disk when this returns. Raises as `append`."""
        await self.write(artifacts.save, artifact.to_json(), call=call, content=content)
        failpoint.hit("artifact.saved")

    async def read_file(self, name: str) -> bytes:
        """A file that a task of the conversation was given. Raises ArtifactNotFound, RunEnded."""
        given = self.transcript.digests
        if name not in given:
            known = f"It was given {', '.join(given)}." if given else "It was given none."
            raise ArtifactNotFound(f"The task was given no file {quoted(name)}. {known}")
        try:
            return await self.run.store.read(blobs.get, given[name])
        except StoreUnavailable as error:
            raise self.run.unavailable(error) from error

    async def finish(
        self,
        *new: Entry,
        at: float,
        after: int,
        status: TaskStatus,
        outcome: Json,
        envelope: str,
    ) -> list[Delivery]:
        """Append the last entries, end the task, and record what came of the call that assigned it.

        Returns who is told that it is their turn.
        """
        told = await self.write(
            tasks.finish,
            new,
            at=at,
            after=after,
            status=status,
            usage=self.transcript.usage,
            model=self.transcript.model,
            outcome=outcome,
            envelope=envelope,
            spent=self.owed,
            has_place=self.place is not None,
            paced=self.paced,
        )
        self._settled()
        return told

    async def reserve(self, wanted: Wanted) -> Granted | Refused:
        """Reserve a model call in the budgets that count for the task."""
        found = await self.write(reservations.reserve, self.budgets, wanted)
        if isinstance(found, Granted):
            self.run.worker.calls_under_way.begin(self.task_id, self.budgets)
        return found

    async def reserve_again(self) -> None:
        """Reserve as much once more, for another try of the same call. Raises LimitMet."""
        await self.write(reservations.reserve_again, self.budgets)

    async def write(self, change: Callable[..., Written], *what: Any, **how: Any) -> Written:
        """Make a change of a conversation, a task and its epoch. Raises as `append`."""
        # An ended run may still say what came of an effect: the epoch decides whether it is heard.
        store, names, epoch = self.run.store, (self.conversation_id, self.task_id), self.epoch
        self.run.worker.counters.appends += 1
        try:
            return await store.write(change, *names, epoch, *what, **how)
        except StaleEpoch:
            await self._claim_anew(epoch)
            return await store.write(change, *names, self.epoch, *what, **how)

    def _spent_by(self, new: Sequence[Entry]) -> Spent | None:
        if self.owed is None:
            return None
        return replace(self.owed, skill_calls=sum(kind in _ASKED for kind, _ in new))

    def _settled(self) -> None:
        self.paced = None
        if self.owed is not None:
            self.owed = None
            self.run.worker.calls_under_way.end(self.task_id)

    def take(self, first: int, new: Sequence[Entry], at: float) -> None:
        """Count entries in that this run writes, the first under that number."""
        for position, (kind, body) in enumerate(new):
            self.transcript.take(first + position, kind, body, at=at, epoch=self.epoch)

    async def _claim_anew(self, refused: int) -> None:
        async with self._claiming:
            if self.epoch != refused:
                return
            await self.run.prove()
            claim = await self.run.store.write(claims.claim, self.task_id)
            await self.run.prove()
            if claim is None or not claim.holds or claim.outcome is not None:
                raise StaleEpoch(f"task {self.task_id} no longer holds {self.conversation_id}")
            self.epoch = claim.epoch
