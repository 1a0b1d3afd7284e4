"""What people have done about subtasks while their round goes on, as its lanes hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lampwork import by_hand, clock, values
from lampwork.errors import StoreUnavailable, TakenOver, sentence
from lampwork.runs.wait import Wait
from lampwork.store.jobs import calls, inbox
from lampwork.store.tasks import orders
from lampwork.store.tasks.orders import CLOSED, Order, order_id
from lampwork.types import task_id, wait_id

if TYPE_CHECKING:
    from lampwork.job import Job
    from lampwork.runs.gather import JobCall
    from lampwork.runs.run import Run

__all__ = ["BY_HAND", "Ordered", "Orders"]

T = TypeVar("T")

BY_HAND = "by hand"
"""What a lane writes down when it follows an order."""

_LOOK_AGAIN = 0.1
"""Seconds until it is tried again to take a task from an agent that can't be stopped just now."""


class Ordered(Exception):
    """A person has said something else of the subtask."""

    def __init__(self, order: Order) -> None:
        super().__init__(order.verb)
        self.order = order


@dataclass(slots=True)
class Orders:
    """The orders of one round."""

    job: Job
    orchestration: str
    closed: bool = False
    """Whether the round takes no more."""
    seen: int = 0
    """How many were heard of."""
    _open: list[Order] = field(default_factory=list[Order])
    """Those that no lane has followed."""
    _followed: set[int] = field(default_factory=set[int])
    _ended: set[str] = field(default_factory=set[str])
    """Subtasks that nothing changes any more."""
    _waiting: list[tuple[str, asyncio.Future[None]]] = field(
        default_factory=list[tuple[str, asyncio.Future[None]]]
    )

    # --- how they come ---

    async def listen(self) -> None:
        """Hear of orders until the round is over."""
        flow = self.job._flow  # pyright: ignore[reportPrivateUsage]  # our own recipe
        try:
            with flow.acting():
                while not self.closed:
                    wait = Wait(
                        id=order_id(self.job.id, self.seen + 1),
                        job_id=self.job.id,
                        call=0,
                        kind="order",
                        subject={},
                    )
                    await flow.heard(wait, self._has_come)
                    await self.refresh()
        finally:
            self._wake(None)

    async def _has_come(self) -> bool:
        before = self.seen
        await self.refresh()
        return self.seen > before or self.closed

    async def refresh(self) -> None:
        """Read what there is. Raises RunEnded."""
        flow = self.job._flow  # pyright: ignore[reportPrivateUsage]
        try:
            found = await flow.store.read(orders.given, self.job.id)
        except StoreUnavailable as error:
            raise flow.unavailable(error) from error
        for each in found[self.seen :]:
            if each.number <= self.seen:
                continue  # read by another lane meanwhile
            self.seen = each.number
            if each.verb == CLOSED:
                self.closed = True
                self._wake(None)
            elif each.number not in self._followed and each.subtask not in self._ended:
                self._open.append(each)
                self._wake(each.subtask)

    def news(self, subtask: str) -> asyncio.Future[None]:
        """Done once there is an order for a subtask, or once the round takes no more."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.closed or self.pending(subtask) is not None:
            future.set_result(None)
        else:
            self._waiting.append((subtask, future))
        return future

    def _wake(self, subtask: str | None) -> None:
        left: list[tuple[str, asyncio.Future[None]]] = []
        for each, future in self._waiting:
            if future.done():
                continue
            if subtask in (None, each):
                future.set_result(None)
            else:
                left.append((each, future))
        self._waiting = left

    def pending(self, subtask: str) -> Order | None:
        """The first order for a subtask that its lane has not followed."""
        return next((each for each in self._open if each.subtask == subtask), None)

    @property
    def are_open(self) -> bool:
        """Whether there is one that its lane has not followed yet."""
        return bool(self._open)

    # --- how lanes follow them ---

    async def look(self, subtask: str, *, anew: bool = False) -> None:
        """Raise Ordered if there is an order for a subtask; from here on its lane follows it.

        `anew` reads what there is first: of what was given before the lane's last call ended, none
        is missed then.
        """
        flow = self.job._flow  # pyright: ignore[reportPrivateUsage]
        recorded, order = flow.on_record(), None
        if recorded is None:
            if anew:
                await self.refresh()
            if (order := self.pending(subtask)) is None:
                return
        elif recorded != ("value", BY_HAND):
            return
        note = self.job._value(BY_HAND, dict[str, Any], lambda: asdict(order))  # type: ignore[arg-type]  # pyright: ignore[reportPrivateUsage]
        followed = Order(**await note)
        self._followed.add(followed.number)
        self._open = [each for each in self._open if each.number != followed.number]
        raise Ordered(followed)

    def end(self, subtask: str) -> None:
        """A subtask has succeeded: an order that came too late for it keeps nobody waiting."""
        self._ended.add(subtask)
        self._open = [each for each in self._open if each.subtask != subtask]

    async def close(self) -> None:
        """Take no more orders, unless there is one that nobody has heard of."""
        flow = self.job._flow  # pyright: ignore[reportPrivateUsage]
        if await flow.changed(orders.close, self.job.id, self.orchestration, self.seen):
            self.closed = True
            self._wake(None)
        else:
            await self.refresh()

    # --- what an order ends ---

    def rest(self, subtask: str, seconds: float, task: str | None) -> JobCall[None]:
        """Sleep before another try of a task, until its time has come or the subtask has an order.

        Its wait is the task's, so that it moves the job whatever else that waits for.
        """
        job, name = self.job, f"{seconds:g} s"

        async def body(run: Run, number: int) -> values.Outcome:
            wait = Wait(
                id=wait_id(job.id, number),
                job_id=job.id,
                call=number,
                kind="timer",
                subject={"name": name},
                task_id=task,
                due_at=clock.now() + seconds,
            )
            async with _under_way(run.until(wait)) as resting:
                if (order := await self._ending(subtask, resting)) is not None:
                    settle = (inbox.settle, wait.id, job.id, None, order.by)
                    run.worker.deliver(await run.store.write(*settle))
                await resting
            return values.Value("null")

        return job._call("sleep", name, body, opens=True)  # pyright: ignore[reportPrivateUsage]

    async def attempt(
        self,
        subtask: str,
        run: Run,
        number: int,
        working: Coroutine[Any, Any, values.Recorded],
    ) -> values.Recorded:
        """What an agent makes of a task, which an order takes from it."""
        async with _under_way(working) as at_work:
            while (order := await self._ending(subtask, at_work)) is not None:
                if await self._took(run, task_id(run.job_id, number), order):
                    return values.Recorded(await run.store.read(calls.envelope, run.job_id, number))
                await asyncio.wait({at_work}, timeout=_LOOK_AGAIN)
            return await at_work

    async def _ending(self, subtask: str, under_way: asyncio.Task[Any]) -> Order | None:
        """The order for a subtask that comes while this is under way; None if that ends first."""
        if not under_way.done():
            news = self.news(subtask)
            await asyncio.wait({under_way, news}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
        if under_way.done() or (order := self.pending(subtask)) is None:
            return None
        return order

    async def _took(self, run: Run, task: str, order: Order) -> bool:
        """Whether the task was taken from its agent; not while it acts at most once."""
        why = f": {order.reason}" if order.reason else ""
        done = {"answer": "answered it", "skip": "skipped it", "retry": "had it tried anew"}
        what = done.get(order.verb, f"gave it to {order.agent}")
        error = TakenOver(sentence(f"{order.by} {what}{why}"), by=order.by, reason=order.reason)
        goes_on = await run.store.write(by_hand.take_over, task, error, order.by)
        if goes_on is None:
            return False
        run.worker.deliver(goes_on.told)
        run.worker.end_cancelled(goes_on.cancelled)
        return True


@asynccontextmanager
async def _under_way(doing: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T]]:
    """Something that goes on beside whoever may end it; at the end of this it is over."""
    task = asyncio.create_task(doing)
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen
