"""Live hints: "job J is at version 12", told to readers that then fetch what they show.

A hint holds no content, so nothing is lost with one: who connects, or has fallen behind, is told to
fetch everything. One look at the database serves all readers, and each takes from the same last
batches as fast as it reads: a slow one holds nobody up, and costs no memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lampwork import clock
from lampwork.errors import StoreUnavailable
from lampwork.insights import Insights
from lampwork.server.deltas import Deltas, Following
from lampwork.tasks.texts import Texts
from lampwork.threads import call_soon

__all__ = ["HEARTBEAT", "Hints", "Reader", "Topic"]

_log = logging.getLogger("lampwork.server")

_APART = 0.1
"""Seconds between two looks, in which changes are gathered."""

_ANYWAY = 0.5
"""Seconds after which one looks without having heard of a commit: on a server, processes that
execute tell of no change that is theirs alone."""

_LATE = 5.0
"""Seconds for which a change is looked for: its time is taken before it is committed."""

_KEPT = 64
"""Batches behind which a reader may be before it is told to fetch everything."""

EVERYTHING = b"event: everything\ndata: {}\n\n"
HEARTBEAT = b": heartbeat\n\n"


Topic = tuple[str, str]
"""A kind of thing that is followed one by one, conversation or orchestration, and its id."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What has changed between two looks: ids, with the version that each is at."""

    number: int
    jobs: Mapping[str, int]
    topics: Mapping[Topic, int]
    written: list[bytes] = field(default_factory=list[bytes])
    """All of the jobs, as most readers want them: written once."""

    def all_jobs(self) -> bytes:
        if not self.written:
            self.written.append(b"".join(_events("job", self.jobs)))
        return self.written[0]


class Hints:
    """What readers are told of a project. One for a server."""

    def __init__(self, insights: Insights, project: str, texts: Texts | None = None) -> None:
        """`texts` are those that are said in this process, if it executes."""
        self.deltas = Deltas(texts)
        self._insights = insights
        self._project = project
        self.batches: deque[_Batch] = deque(maxlen=_KEPT)
        self.number = 0
        """Of the last batch."""
        self.changed = asyncio.Event()
        """Set, and another one put in its place, with each batch."""
        self.closed = False
        self._followed: Counter[Topic] = Counter()
        """What readers follow beside jobs."""
        self._readers = 0
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = 0.0
        """When the last look began, after which the machine may have stood still."""
        self._jobs_at: Mapping[str, float] = {}
        self._topics_at: Mapping[Topic, int] = {}

    @asynccontextmanager
    async def reading(
        self,
        jobs: frozenset[str] | None,
        topics: frozenset[Topic],
        deltas: frozenset[str] = frozenset(),
    ) -> AsyncGenerator[Reader]:
        """A reader of these jobs, with those below them, or of all; of topics; and of what is just
        being said in some conversations."""
        self._readers += 1
        self._followed.update(topics)
        try:
            await self._begin_looking()
            with self.deltas.following(deltas) as following:
                yield Reader(self, jobs, topics, following)
        finally:
            self._readers -= 1
            self._followed -= Counter(topics)
            if self._readers == 0 and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _begin_looking(self) -> None:
        """Look from now on for what changes, unless another reader has it looked for."""
        if self._looking is not None or self.closed:
            return
        now = clock.now()
        jobs_at = await self._insights.jobs_since(now - _LATE, self._project)
        if self._looking is None:  # else the other one was told of what came before that alone
            self._looked_at, self._jobs_at = now, jobs_at
            self._looking = asyncio.create_task(self._keep_looking())

    def close(self) -> None:
        """End what is being read."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def _keep_looking(self) -> None:
        committed, loop = asyncio.Event(), asyncio.get_running_loop()

        def hear() -> None:
            if not committed.is_set():
                call_soon(loop, committed.set)

        stop_hearing = self._insights.on_change(hear)
        try:
            while True:
                try:
                    async with asyncio.timeout(_ANYWAY):
                        await committed.wait()
                except TimeoutError:
                    pass
                committed.clear()
                try:
                    await self._look()
                except StoreUnavailable as error:
                    facts = {"event": "server.hints_late"}
                    _log.warning("live hints are late: %s", error.message, extra=facts)
                await asyncio.sleep(_APART)
        finally:
            stop_hearing()

    async def _look(self) -> None:
        now = clock.now()
        jobs_at = await self._insights.jobs_since(self._since(), self._project)
        topics_at = await self._look_at_topics()
        jobs = {
            each: int(at * 1_000_000)
            for each, at in jobs_at.items()
            if self._jobs_at.get(each) != at
        }
        topics = {each: at for each, at in topics_at.items() if self._topics_at.get(each) != at}
        self._looked_at, self._jobs_at, self._topics_at = now, jobs_at, topics_at
        if jobs or topics:
            self.number += 1
            self.batches.append(_Batch(self.number, jobs, topics))
            self._wake()

    async def _look_at_topics(self) -> Mapping[Topic, int]:
        """At which version each of those is that readers follow."""
        found: dict[Topic, int] = {}
        of_kind: dict[str, list[str]] = {}
        for kind, id in self._followed:
            of_kind.setdefault(kind, []).append(id)
        if ids := of_kind.get("conversation"):
            at = await self._insights.last_entries(ids)
            found |= {("conversation", id): version for id, version in at.items()}
        if ids := of_kind.get("orchestration"):
            at = await self._insights.orchestrations_at(ids)
            found |= {("orchestration", id): version for id, version in at.items()}
        return found

    def _since(self) -> float:
        """From when on changes may not have been seen; also when a clock was set back."""
        seen = max(self._jobs_at.values(), default=self._looked_at)
        return min(clock.now(), self._looked_at, seen) - _LATE


class Reader:
    """What one connection was told."""

    def __init__(
        self,
        hints: Hints,
        jobs: frozenset[str] | None,
        topics: frozenset[Topic],
        following: Following,
    ) -> None:
        self._following = following
        self._hints = hints
        self._jobs = jobs
        self._topics = topics
        self._told: int | None = None
        """The last batch."""

    async def next(self, patience: float) -> bytes | None:
        """The next hints, as Server-Sent Events; after `patience` a heartbeat; None at the end."""
        if self._told is None:
            self._told = self._hints.number
            return EVERYTHING
        try:
            async with asyncio.timeout(patience):
                while not self._hints.closed:
                    said = self._hints.deltas.untold(self._following)
                    if found := said + self._untold(self._told):
                        return found
                    await self._something()
        except TimeoutError:
            return HEARTBEAT
        return None

    async def _something(self) -> None:
        """Wait until something has changed, or was said where that is followed."""
        changed = self._hints.changed.wait()
        if not self._following.conversations:
            await changed
            return
        either = [asyncio.create_task(each) for each in (changed, self._following.woken.wait())]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in either:
                each.cancel()

    def _untold(self, told: int) -> bytes:
        self._told = self._hints.number
        batches = [each for each in self._hints.batches if each.number > told]
        if len(batches) < self._told - told:
            return EVERYTHING
        if self._jobs is None and not self._topics and len(batches) == 1:
            return batches[0].all_jobs()
        jobs: dict[str, int] = {}
        mine: dict[Topic, int] = {}
        for batch in batches:
            jobs |= {each: at for each, at in batch.jobs.items() if self._wants(each)}
            mine |= {each: at for each, at in batch.topics.items() if each in self._topics}
        said = [event for (kind, id), at in mine.items() for event in _events(kind, {id: at})]
        return b"".join([*_events("job", jobs), *said])

    def _wants(self, job_id: str) -> bool:
        """Whether it is one of those, or below one: an id begins with that of its parent."""
        if self._jobs is None:
            return True
        parts = job_id.split(".")
        return any(".".join(parts[:length]) in self._jobs for length in range(1, len(parts) + 1))


def _events(kind: str, changed: Mapping[str, int]) -> Iterator[bytes]:
    for each, version in changed.items():
        data = json.dumps({"id": each, "version": version})
        yield f"event: {kind}\ndata: {data}\n\n".encode()
