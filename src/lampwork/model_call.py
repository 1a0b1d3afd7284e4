"""One call of the model: reserved before it begins, bounded in time, and counted at any rate."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from lampwork import failpoint
from lampwork.deadline import OutOfTime
from lampwork.errors import LampworkError
from lampwork.models.ask import Ask, LanguageModel, Reply, size
from lampwork.run import RunEnded
from lampwork.store.budgets import (
    USUAL_OUTPUT,
    Granted,
    Limit,
    Refused,
    Reservation,
    Spent,
    Wanted,
    cost_of,
)
from lampwork.store.conversations import sum_up
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.conversation import Transcript
    from lampwork.turn import TaskInHand

__all__ = ["Answered", "ask_model", "count_cut_off"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply, and what is to be settled with it."""

    reply: Reply
    """With its usage, in which there are estimates of what nobody measured."""
    spent: Spent | None
    """None without a budget."""
    cut_by: tuple[str, Limit] | None
    """The budget and limit that had no room for the rest of the reply."""


async def ask_model(task: TaskInHand, ask: Ask, scan: dict[str, Json] | None) -> Answered:
    """Ask within the budgets and the deadline; `scan` is of what is asked.

    Raises BudgetExceeded, BudgetNotEnforceable, OutOfTime, and what the model raises.
    """
    wanted = _wanted(task, ask)
    granted = await _reserve(task, wanted)
    if granted is not None and granted.limits_output:
        ask = replace(ask, max_output_tokens=granted.reservation.output_tokens or None)
    reserved = _most(wanted) if granted is None else granted.reservation
    failpoint.hit("model.before")
    task.scanner.under_way = scan or {}
    try:
        async with task.deadline.bounding():
            reply = await task.model.respond(ask)
    except OutOfTime:
        await _unanswered(task, "the task's time was up", reserved.usage, estimated=True)
        raise
    except asyncio.CancelledError:
        await _unanswered(task, "its run was over", reserved.usage, estimated=True)
        raise
    except LampworkError as error:
        usage = _counted(error.fields.get("usage", {}), reserved, task.model)
        await _unanswered(task, error.message, usage)
        raise
    failpoint.hit("model.after")
    usage = _counted(reply.usage, reserved, task.model)
    try:
        task.hold.run.check()
    except RunEnded:
        await _unanswered(task, "its run was over", usage)
        raise
    return Answered(
        replace(reply, usage=usage),
        None if granted is None else Spent.of(task.hold.budgets, usage),
        granted.bound_by if granted is not None and reply.truncated else None,
    )


async def count_cut_off(task: TaskInHand, ask: Ask) -> None:
    """Count the model call that an earlier run may have begun: as much as it could have used."""
    hold = task.hold
    reserved = hold.claim.reserved
    if reserved is None:
        if hold.budgets or not (hold.transcript.call_under_way and task.model.uses_tokens):
            return
        reserved = _most(_wanted(task, ask))
    entry: dict[str, Json] = {"usage": reserved.usage}
    await hold.append(("cut_off", entry), spent=_spent(task, reserved.usage, estimated=True))


async def _unanswered(
    task: TaskInHand, why: str, usage: dict[str, int], *, estimated: bool = False
) -> None:
    """Write down what a model call used that brought no reply."""
    if task.hold.budgets or (usage and task.model.uses_tokens):
        entry: dict[str, Json] = {"why": why, "usage": usage, "scan": task.scanner.under_way}
        task.scanner.under_way = None
        await task.hold.append(
            ("unanswered", entry), spent=_spent(task, usage, estimated=estimated)
        )


def _spent(task: TaskInHand, usage: dict[str, int], *, estimated: bool) -> Spent | None:
    budgets = task.hold.budgets
    return Spent.of(budgets, usage, estimated=estimated) if budgets else None


# --- before ---


async def _reserve(task: TaskInHand, wanted: Wanted) -> Granted | None:
    """Room for the call in every budget that counts; None if there is none.

    Raises BudgetExceeded, BudgetNotEnforceable, OutOfTime.
    """
    hold = task.hold
    if not hold.budgets:
        return None
    found = await hold.reserve(wanted)
    while isinstance(found, Refused):
        found = await _wait_for_room(task, wanted, found)
    failpoint.hit("model.reserved")
    return found


async def _wait_for_room(task: TaskInHand, wanted: Wanted, refused: Refused) -> Granted | Refused:
    """Try again when calls under way, for which more is reserved than they use, have ended.

    Returns once this budget no longer stands in the way. Raises BudgetExceeded, OutOfTime.
    """
    calls, budget = task.hold.run.worker.calls_under_way, refused.budget
    if not refused.may_fit:
        raise refused.error
    async with task.deadline.bounding(), calls.in_line(budget):
        while True:
            task.hold.run.check()
            ended = calls.ended
            found = await task.hold.reserve(wanted)
            if isinstance(found, Granted) or found.budget != budget or not found.may_fit:
                return found
            if not await calls.one_ends(budget, since=ended):
                raise found.error


def _wanted(task: TaskInHand, ask: Ask) -> Wanted:
    """What a call may use at the most; a playbook uses nothing."""
    model = task.model
    if not model.uses_tokens:
        return Wanted(0, 0, model.name, 0, Decimal(0))
    input_tokens = _input_tokens(ask, task.hold.transcript)
    output_tokens = model.max_output_tokens or USUAL_OUTPUT
    price = model.price(input_tokens)
    if price is None:
        return Wanted(input_tokens, output_tokens, model.name)
    rate = Decimal(str(price.output)) * 1000  # from dollars per million
    return Wanted(input_tokens, output_tokens, model.name, price.cost(input_tokens, 0), rate)


def _input_tokens(ask: Ask, so_far: Transcript) -> int:
    """Tokens of a request at the most.

    A token has a byte at least. What the last response was given, and the response itself, were
    measured by the provider.
    """
    if so_far.measured is None:
        return size(ask)
    known, tokens = so_far.measured
    return tokens + size(ask) - size(replace(ask, messages=ask.messages[:known]))


def _most(wanted: Wanted) -> Reservation:
    output = wanted.output_tokens
    return Reservation(wanted.input_tokens, output, cost_of(wanted, output))


# --- after ---


def _counted(usage: dict[str, int], reserved: Reservation, model: LanguageModel) -> dict[str, int]:
    """Usage in which what nobody has measured or priced is estimated, at the most."""
    unmeasured = usage.get("unmeasured_requests", 0)
    unpriced = usage.get("unpriced_requests", 0) - unmeasured
    counted = [usage]
    if unmeasured:
        guess = replace(reserved, tries=unmeasured).usage
        # Among the requests, and among those without a price, they are already.
        unknown = guess.get("unpriced_requests", 0) - unmeasured
        counted.append(guess | {"requests": 0, "unpriced_requests": unknown})
    if unpriced:
        used = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
        if (price := model.price(used[0])) is not None:
            cost = {
                name: price.cost(*used) for name in ("cost_nanodollars", "estimated_nanodollars")
            }
            counted.append(cost | {"unpriced_requests": -unpriced})
    if len(counted) == 1:
        return usage
    return {name: count for name, count in sum_up(counted).items() if count}
