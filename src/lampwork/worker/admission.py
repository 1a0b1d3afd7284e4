"""Which jobs start, and when: as there is room, and as the limits of their recipes let them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lampwork.store.jobs import queued, queues, wanted

if TYPE_CHECKING:
    from lampwork.worker.worker import Worker


class Admission:
    """Starts jobs that were accepted, by this process or by others."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.crowded = False
        """Whether accepted jobs wait for room."""
        self._turned_away = 0
        """How many jobs have found no room here."""
        self._looking = asyncio.Lock()
        """Held while it is looked for jobs that may start."""
        self._asked = self._answered = 0
        """How often that was asked for, and had been when the last look began."""
        self._limited = any(
            each.concurrency is not None for each in worker.project.recipes.values()
        )
        """Whether there are recipes of which only so many jobs run at a time."""
        self._turn = ""
        """What the last job is of that was taken from those that waited."""
        self._starting: set[str] = set()
        """Jobs that are handed to the engine, until their runs begin."""
        self._claimed: set[str] = set()
        """Jobs that the engine has handed out here, and whose runs have not begun."""
        self._otherwise: dict[str, set[Callable[[str], Coroutine[Any, Any, object]]]] = {}
        """What is to be done about these jobs, should they not begin."""
        self._left: list[str] = []
        """Jobs in our charge for which there is no room, and which others may have."""

    # --- jobs that are accepted here ---

    def accepted(self, job_id: str) -> None:
        """A job at the top of its tree was accepted here, and is in our charge."""
        self.take_on([job_id])
        self.start_soon(job_id)

    def copied(self, job_id: str) -> None:
        """A copy of a job was made here: it is executed here, unless somebody else takes it."""
        self.take_on([job_id])
        self._worker.background(self.start_queued())

    def take_on(self, roots: Iterable[str]) -> None:
        """Execute these trees as well, if not every tree is executed here anyway."""
        trees = self._worker.trees
        if trees is not None and not trees.issuperset(roots):
            self._worker.trees = trees.union(roots)
            self._worker.background(self.start_queued())

    def start_soon(self, job_id: str) -> None:
        """Start a job that is in our charge when there is room."""
        worker = self._worker
        if worker.closing or worker.alone or job_id in worker.runs or job_id in self._starting:
            return
        if self.room <= 0:
            self.crowded = True
            self._turned_away += 1
            worker.parking.make_room()
            self._leave(job_id)
            return
        self._starting.add(job_id)
        worker.background(self.hand_out(job_id, self._start))

    async def _start(self, job_id: str) -> bool:
        enters = queues.enter_to_start, job_id
        if self._limited and not await self._worker.store.write(*enters):
            return False
        return await self._worker.engine.start(job_id)

    async def hand_out(self, job_id: str, start: Callable[[str], Awaitable[bool]]) -> None:
        """Start a job that has a place here, from now on until it has left again.

        `start` says whether a run of it begins. Between the two the engine needs a thread, and
        may have none for a while: one that counted for nothing then let more jobs begin than may.
        """
        self._starting.add(job_id)
        begins = False
        try:
            begins = await start(job_id)
        finally:
            if not begins:
                self._starting.discard(job_id)
                for otherwise in self._otherwise.pop(job_id, ()):
                    self._worker.background(otherwise(job_id))

    @contextmanager
    def beginning(self, job_id: str) -> Generator[None]:
        """A run begins inside: the engine has handed its job out."""
        self._claimed.add(job_id)
        try:
            yield
        finally:
            self._claimed.discard(job_id)
            self._starting.discard(job_id)
            self._otherwise.pop(job_id, None)

    def is_beginning(self, job_id: str) -> bool:
        """Whether a run of the job is about to be there."""
        return job_id in self._starting or job_id in self._claimed

    def unless_begins(
        self, job_id: str, otherwise: Callable[[str], Coroutine[Any, Any, object]]
    ) -> None:
        """Do this about a job that is about to be there, should it not begin.

        A parent that goes on hands its children out again, and the engine says of one that is
        parked or has ended that it does not begin.
        """
        self._otherwise.setdefault(job_id, set()).add(otherwise)

    def forget_started(self) -> None:
        """The engine was stopped: of what it was to run, nothing begins."""
        self._starting.clear()
        self._otherwise.clear()

    def _leave(self, job_id: str) -> None:
        """Let whoever has room for it first have a job, us included."""
        if not self._worker.presence.beats:
            return  # there is nobody else
        self._left.append(job_id)
        if len(self._left) == 1:
            self._worker.background(self._leave_all())

    async def _leave_all(self) -> None:
        left, self._left = self._left, []
        taken = (*self._worker.runs, *self._starting, *self._claimed)
        ours = [each for each in left if each not in taken]
        await self._worker.store.write(wanted.leave, ours, self._worker.presence.id)

    # --- jobs that wait for room ---

    async def start_queued(self) -> None:
        """Start jobs that were accepted, here or by other processes, as far as there is room.

        One look at a time: of two at once, the one that has seen less could be the last to say
        whether there are more.
        """
        self._asked += 1
        asked = self._asked
        async with self._looking:
            if self._answered < asked:  # else another look has begun since
                self._answered = self._asked
                await self._start_queued()

    async def _start_queued(self) -> None:
        worker, room = self._worker, self.room
        if worker.alone or worker.closing or not worker.presence.holds:
            return
        if room <= 0:
            self.crowded = True  # nobody knows otherwise: who leaves lets it be looked for again
            worker.parking.make_room()
            return
        starting = set(self._starting)  # their rows say queued until they have begun
        turned_away = self._turned_away
        limit = room + len(starting) + 1
        found = await worker.store.read(queued.to_start, worker.share, limit, self._turn)
        waiting = [each for each in found if each.id not in starting]
        # Who found no room meanwhile may not be among them.
        self.crowded = len(waiting) > room or self._turned_away > turned_away
        if not waiting:
            return
        ours = [each.id for each in waiting[:room]]
        taken = await worker.store.write(wanted.take_charge, ours, worker.share)
        known = await worker.engine.standings(taken)
        for each in waiting[:room]:
            if each.id not in taken:
                continue
            self._turn = each.callable
            if each.id in known:  # its process was killed between its start and its begin
                worker.background(worker.waking.revive(each.id))
            else:
                self.start_soon(each.id)

    def has_left(self) -> None:
        """A run has made room."""
        if (self.crowded or self._looking.locked()) and not self._worker.closing:
            self._worker.background(self.start_queued())

    @property
    def room(self) -> int:
        """How many more jobs may run here."""
        under_way = len(self._worker.runs) + len(self._starting | self._claimed)
        return self._worker.settings.max_live - under_way

    @property
    def is_starting(self) -> bool:
        """Whether a job is on its way."""
        return bool(self._starting)

    # --- the limits of recipes ---

    async def enters(self, job_id: str) -> bool:
        """Whether a job may run beside the others of its recipe; from here on it counts."""
        return not self._limited or await self._worker.store.write(queues.enter, job_id)

    async def let_in(self) -> None:
        """A job of a limited recipe has made way for others of it: those that may go on do."""
        await self.start_queued()
        worker = self._worker
        for job_id in await worker.store.read(queues.mended, worker.project.name):
            worker.background(worker.waking.revive(job_id))
        for job_id in await worker.store.read(queues.to_wake, worker.project.name):
            worker.background(worker.waking.wake(job_id))
