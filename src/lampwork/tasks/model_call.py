"""One call of the model: reserved before it begins, bounded in time, and counted at any rate."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from lampwork import failpoint
from lampwork.errors import LampworkError
from lampwork.models.ask import Ask, LanguageModel, Reply, size, size_of
from lampwork.runs.deadline import OutOfTime
from lampwork.runs.flow import RunEnded
from lampwork.store.spending.budgets import LimitMet
from lampwork.store.spending.reservations import (
    USUAL_OUTPUT,
    Granted,
    Refused,
    Reservation,
    Spent,
    Wanted,
    cost_of,
)
from lampwork.store.tasks.conversations import sum_up
from lampwork.tasks.pace import Pace
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.tasks.task import TaskInHand
    from lampwork.tasks.transcript import Transcript

__all__ = ["Answered", "ask_model", "count_cut_off", "note_unanswered"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply. What it has spent is settled with the next entries of the task."""

    reply: Reply
    """With its usage, in which there are estimates of what nobody measured."""
    cut_by: LimitMet | None
    """What had no room for the rest of the reply."""


async def ask_model(task: TaskInHand, ask: Ask, scan: dict[str, Json] | None) -> Answered:
    """Ask within the budgets and the deadline; `scan` is of what is asked.

    Raises LimitMet, BudgetNotEnforceable, OutOfTime, and what the model raises.
    """
    if task.hold.place is not None:
        await task.hold.place.take()
    pace = _pace(task, ask)
    if pace is not None:
        await pace.first(task.model.paced_as)
        ask = replace(ask, in_turn=pace.again, slow_down=pace.slow_down)
    call = _Call(task, ask)
    if task.hold.budgets:
        await call.reserve()
    failpoint.hit("model.before")
    task.scanner.under_way = scan or {}
    try:
        async with task.deadline.bounding():
            reply = await call.respond()
    except OutOfTime:
        await call.unanswered("the task's time was up")
        raise
    except asyncio.CancelledError:
        await call.unanswered("its run was over")
        raise
    except LampworkError as error:
        await call.unanswered(error.message, call.counted(error.fields.get("usage", {})))
        if call.refused is not None:
            raise call.refused from error
        raise
    failpoint.hit("model.after")
    usage = call.counted(reply.usage)
    if pace is not None:
        task.hold.paced = pace.came_to(usage)
    try:
        task.hold.run.check()
    except RunEnded:
        await call.unanswered("its run was over", usage)
        raise
    _owe(task, usage)
    return Answered(replace(reply, usage=usage), call.cut_by() if reply.truncated else None)


async def count_cut_off(task: TaskInHand, ask: Ask) -> None:
    """Count the model call that an earlier run may have begun: as much as it could have used."""
    hold = task.hold
    most = hold.claim.reserved
    if most is None:
        under_way = hold.transcript.call_under_way and not hold.claim.only_waited
        if hold.budgets or not (under_way and task.model.uses_tokens):
            return
        most = _Call(task, ask).most
    entry: dict[str, Json] = {"usage": most.usage}
    _owe(task, most.usage, estimated=True)
    await hold.append(("cut_off", entry))


@dataclass(slots=True)
class _Call:
    """A model call, from what it may use to what it has used."""

    task: TaskInHand
    ask: Ask
    granted: Granted | None = None
    """None without a budget."""
    tries: int = 1
    """How many there are of which nobody may ever say what they used."""
    refused: LimitMet | None = None
    """Why it was not tried again."""

    # --- before ---

    async def reserve(self) -> None:
        """Reserve it in every budget that counts, waiting while others hold more than they use.

        Raises LimitMet, BudgetNotEnforceable, OutOfTime.
        """
        wanted = _wanted(self.task, self.ask)
        found = await self.task.hold.reserve(wanted)
        while isinstance(found, Refused):
            found = await _wait_for_room(self.task, wanted, found)
        self.granted = found
        failpoint.hit("model.reserved")

    def as_reserved(self) -> Ask:
        """What is asked, so that no more is used than is reserved."""
        granted = self.granted
        if granted is None and not self.task.model.uses_tokens:
            return self.ask
        if granted is None or not granted.limits_output:
            return replace(self.ask, may_retry=self.may_retry)
        longest = granted.reservation.output_tokens or None
        return replace(self.ask, may_retry=self.may_retry, max_output_tokens=longest)

    async def may_retry(self) -> bool:
        """Whether there is room for one more try, after one that may have cost as much."""
        if self.granted is not None:
            try:
                await self.task.hold.reserve_again()
            except LimitMet as met:
                self.refused = met
                return False
        self.tries += 1
        return True

    async def respond(self) -> Reply:
        """Ask, as it is reserved."""
        ask, hold = self.as_reserved(), self.task.hold
        telemetry = hold.run.worker.telemetry
        if telemetry is None:
            return await self._counted(ask)
        with telemetry.model_call(
            root_id=hold.run.row.root_id,
            task_id=hold.task_id,
            conversation_id=hold.conversation_id,
            genie=self.task.genie.name,
            model=self.task.model.name,
            streams=ask.on_text is not None,
            max_tokens=ask.max_output_tokens,
        ) as call:
            reply = await self._counted(ask)
            call.replied(model=reply.model, usage=reply.usage, raw=reply.raw)
            return reply

    async def _counted(self, ask: Ask) -> Reply:
        counters, began = self.task.hold.run.worker.counters, time.monotonic()
        requests, replied = 1, False
        try:
            reply = (await self.task.model.respond(ask)).writable()
            requests, replied = reply.usage.get("requests", 1), True
            return reply
        except LampworkError as error:
            requests = error.fields.get("usage", {}).get("requests", 1)
            raise
        finally:
            counters.called_model(time.monotonic() - began, tries=requests, replied=replied)

    # --- after ---

    @property
    def most(self) -> Reservation:
        """What it has used at the most."""
        if self.granted is not None:
            return replace(self.granted.reservation, tries=self.tries)
        wanted = _wanted(self.task, self.ask)
        cost = cost_of(wanted, wanted.output_tokens)
        return Reservation(wanted.input_tokens, wanted.output_tokens, cost, self.tries)

    def counted(self, usage: dict[str, int]) -> dict[str, int]:
        """Usage in which what nobody has measured or priced is estimated, at the most."""
        unmeasured = usage.get("unmeasured_requests", 0)
        unpriced = usage.get("unpriced_requests", 0) - unmeasured
        counted = [usage]
        if unmeasured:
            guess = replace(self.most, tries=unmeasured).usage
            # Among the requests, and among those without a price, they are already.
            unknown = guess.get("unpriced_requests", 0) - unmeasured
            counted.append(guess | {"requests": 0, "unpriced_requests": unknown})
        if unpriced:
            used = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
            if (price := self.task.model.price(used[0])) is not None:
                names = ("cost_nanodollars", "estimated_nanodollars")
                guess = dict.fromkeys(names, price.cost(*used))
                counted.append(guess | {"unpriced_requests": -unpriced})
        if len(counted) == 1:
            return usage
        return {name: count for name, count in sum_up(counted).items() if count}

    def cut_by(self) -> LimitMet | None:
        """The limit that made the response shorter than the model's own would have."""
        if self.granted is None or self.granted.bound_by is None:
            return None
        return LimitMet(*self.granted.bound_by, "the reply of the model was cut off there")

    async def unanswered(self, why: str, usage: dict[str, int] | None = None) -> None:
        """Write down what it used, which brought no reply; all that it may have, if not known."""
        task, estimated = self.task, usage is None
        if not (task.hold.budgets or task.model.uses_tokens):
            return
        usage = self.most.usage if usage is None else usage
        if usage or task.hold.budgets:
            _owe(task, usage, estimated=estimated)
            await note_unanswered(task, why, usage)


async def note_unanswered(task: TaskInHand, why: str, usage: dict[str, int]) -> None:
    """Write down what a model call used of which nothing else is written."""
    entry: dict[str, Json] = {"why": why, "usage": usage, "scan": task.scanner.under_way}
    task.scanner.under_way = None
    await task.hold.append(("unanswered", entry))


def _owe(task: TaskInHand, usage: dict[str, int], *, estimated: bool = False) -> None:
    if task.hold.budgets:
        task.hold.owed = Spent.of(task.hold.budgets, usage, estimated=estimated)


async def _wait_for_room(task: TaskInHand, wanted: Wanted, refused: Refused) -> Granted | Refused:
    """Try again when calls under way, for which more is reserved than they use, have ended.

    Returns once this budget no longer stands in the way. Raises LimitMet, OutOfTime.
    """
    calls, budget = task.hold.run.worker.calls_under_way, refused.met.budget
    if not refused.may_fit:
        raise refused.met
    async with calls.in_line(budget, task.deadline):
        while True:
            task.hold.run.check()
            task.deadline.check()
            ended = calls.ended
            # Never cut off: what it has reserved would be nobody's, and the budget never whole.
            found = await task.hold.reserve(wanted)
            if isinstance(found, Granted) or found.met.budget != budget or not found.may_fit:
                return found
            if not await calls.one_ends(budget, task.deadline, since=ended):
                raise found.met


def _pace(task: TaskInHand, ask: Ask) -> Pace | None:
    """At which pace models may be asked; None in a project that limits none."""
    if not task.hold.run.project.rate_limits:
        return None
    tokens = 0
    if task.model.uses_tokens:
        known, tokens = task.hold.transcript.measured or (0, 0)
        tokens += (size_of(ask.messages[known:]) if known else size(ask)) // _BYTES_PER_TOKEN
    return Pace(task.hold, task.call, task.deadline, ask.number, tokens)


_BYTES_PER_TOKEN = 4
"""About that many, of what nobody has measured yet."""


def _wanted(task: TaskInHand, ask: Ask) -> Wanted:
    """What a call may use at the most; a playbook uses nothing."""
    model = task.model
    if not model.uses_tokens:
        return Wanted(0, 0, model.name, 0, Decimal(0))
    input_tokens = _input_tokens(ask, model, task.hold.transcript)
    output_tokens = model.max_output_tokens or USUAL_OUTPUT
    price = model.price(input_tokens)
    if price is None:
        return Wanted(input_tokens, output_tokens, model.name)
    rate = Decimal(str(price.output)) * 1000  # from dollars per million
    return Wanted(input_tokens, output_tokens, model.name, price.cost(input_tokens, 0), rate)


def _input_tokens(ask: Ask, model: LanguageModel, so_far: Transcript) -> int:
    """Tokens of a request at the most.

    A token has a byte at least. What the last response of this run was given, and the response
    itself, were measured by the provider; that holds for the same model only.
    """
    if so_far.measured is None or not model.counts_alike:
        return size(ask)
    known, tokens = so_far.measured
    return tokens + size_of(ask.messages[known:])
