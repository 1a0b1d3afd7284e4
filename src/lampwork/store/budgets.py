"""Budgets: what a task and those below it may spend, reserve for a model call, and have spent.

A reservation must fit every budget from the task's nearest one up to the root's; all that is
asked here happens in one transaction, or not at all. Money is in nanodollars.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from lampwork.errors import BudgetExceeded, BudgetNotEnforceable, LampworkError
from lampwork.store.conversations import StaleEpoch
from lampwork.store.schema import budgets, reservations, tasks
from lampwork.types import Json

__all__ = [
    "Chain",
    "Granted",
    "Limit",
    "LimitMet",
    "Refused",
    "Reservation",
    "Spent",
    "Wanted",
    "chain_of",
    "cost_of",
    "exceeded",
    "not_enforceable",
    "open_budget",
    "reservation_of",
    "reserve",
    "reserve_again",
    "settle",
    "some",
]

Chain = tuple[str, ...]
"""The ids of the budgets that count for a task, the nearest first."""

Limit = Literal["tokens", "dollars", "model_calls", "skill_calls", "seconds"]

LEAST_OUTPUT = 64
"""Tokens that a response must have room for, if the model may give as many; OpenAI wants 16."""

USUAL_OUTPUT = 16_384
"""Tokens that a response is taken to hold at the most where its model sets no limit."""

_COUNTED = ("tokens", "nanodollars", "model_calls")

_insert = sa.insert(budgets)
_get = sa.select(budgets).where(budgets.c.id == sa.bindparam("budget"))
_take = (
    sa.update(budgets)
    .where(
        budgets.c.id == sa.bindparam("budget"),
        *(
            sa.or_(
                budgets.c[f"limit_{name}"].is_(None),
                budgets.c[f"spent_{name}"]
                + budgets.c[f"reserved_{name}"]
                + sa.bindparam(name, type_=sa.Integer)
                <= budgets.c[f"limit_{name}"],
            )
            for name in _COUNTED
        ),
    )
    .values(
        {
            f"reserved_{name}": budgets.c[f"reserved_{name}"] + sa.bindparam(name, type_=sa.Integer)
            for name in _COUNTED
        }
    )
)
_insert_reservation = sa.insert(reservations).from_select(
    ["task_id", "input_tokens", "output_tokens", "nanodollars", "tries"],
    sa.select(
        tasks.c.id,
        sa.bindparam("input", type_=sa.Integer),
        sa.bindparam("output", type_=sa.Integer),
        sa.bindparam("cost", type_=sa.Integer),
        sa.literal(1),
    ).where(tasks.c.id == sa.bindparam("task"), tasks.c.epoch == sa.bindparam("of_epoch")),
)
_one_more_try = (
    sa.update(reservations)
    .where(
        reservations.c.task_id == sa.bindparam("task"),
        sa.exists().where(
            tasks.c.id == sa.bindparam("task"), tasks.c.epoch == sa.bindparam("of_epoch")
        ),
    )
    .values(tries=reservations.c.tries + 1)
    .returning(*reservations.c)
)
_release = (
    sa.delete(reservations)
    .where(reservations.c.task_id == sa.bindparam("task"))
    .returning(*reservations.c)
)
_held_by = sa.select(reservations).where(reservations.c.task_id == sa.bindparam("task"))
_spend = (
    sa.update(budgets)
    .where(
        budgets.c.id == sa.bindparam("budget"),
        sa.or_(
            sa.bindparam("skill_calls", type_=sa.Integer) == 0,
            budgets.c.limit_skill_calls.is_(None),
            budgets.c.spent_skill_calls + sa.bindparam("skill_calls", type_=sa.Integer)
            <= budgets.c.limit_skill_calls,
        ),
    )
    .values(
        {
            "spent_skill_calls": budgets.c.spent_skill_calls
            + sa.bindparam("skill_calls", type_=sa.Integer)
        }
        | {
            f"{kind}_{name}": budgets.c[f"{kind}_{name}"]
            + sa.bindparam(f"{kind}_{name}_more", type_=sa.Integer)
            for kind in ("reserved", "spent", "estimated")
            for name in _COUNTED
        }
    )
)


# --- a budget ---


def open_budget(
    connection: sa.Connection,
    task: str,
    parent: str | None,
    limits: Mapping[str, Json],
    nanodollars: int | None,
    begun_at: float,
) -> None:
    """The budget that a task is given, under the nearest one above; its time has `begun_at`."""
    connection.execute(
        _insert,
        {
            "id": task,
            "parent_id": parent,
            "limits": dict(limits),
            "limit_tokens": limits.get("tokens"),
            "limit_nanodollars": nanodollars,
            "limit_model_calls": limits.get("model_calls"),
            "limit_skill_calls": limits.get("skill_calls"),
            "limit_depth": limits.get("depth"),
            "begun_at": begun_at,
        },
    )


class LimitMet(LampworkError):
    """A budget does not hold what comes next. It never leaves the task: see `exceeded`."""

    def __init__(self, budget: str, limit: Limit, what: str) -> None:
        super().__init__(f"budget {budget}: {what}")
        self.budget = budget
        self.limit: Limit = limit
        self.what = what


def exceeded(connection: sa.Connection, met: LimitMet) -> BudgetExceeded:
    """The error that a task ends with, with what its budget has spent by now."""
    row = connection.execute(_get, {"budget": met.budget}).one()
    limit: Limit = met.limit
    spent: dict[str, Json] = {
        "tokens": row.spent_tokens,
        "dollars": row.spent_nanodollars / 1_000_000_000,
        "model_calls": row.spent_model_calls,
        "skill_calls": row.spent_skill_calls,
        "seconds": round(time.time() - row.begun_at, 3),
    }
    return BudgetExceeded(
        f"The budget of task {row.id} allows {_amount(limit, row.limits[limit])}, "
        f"{_amount(limit, spent[limit])} of it spent: {met.what}. "
        "Give the task a larger budget, or less to do.",
        limit=limit,
        budget=row.limits,
        budget_of=row.id,
        spent=spent,
    )


def _amount(limit: Limit, count: float) -> str:
    match limit:
        case "dollars":
            return f"${count:,.9f}".rstrip("0").rstrip(".")
        case "seconds":
            return f"{count:g} s"
        case _:
            return f"{count:,} {limit.replace('_', ' ')}"


def not_enforceable(model: str) -> BudgetNotEnforceable:
    """The error of a task whose model has no known price, under a budget that limits money."""
    return BudgetNotEnforceable(
        f"The price of {model} is not known, so a budget in dollars can't be kept. "
        "Say what it costs, Model(…, price=Price(input=…, output=…)), or limit tokens instead.",
        model=model,
    )


# --- before a model call ---


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model call that is to begin."""

    input_tokens: int
    """At the most."""
    output_tokens: int
    """At the most, if the budget has room for as many; a smaller one is granted less."""
    model: str
    input_cost: int | None = None
    """In nanodollars; None if the model's price is not known."""
    output_rate: Decimal | None = None
    """Nanodollars per token."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a model call may use at the most."""

    input_tokens: int
    output_tokens: int
    nanodollars: int | None
    """None if the model's price is not known."""
    tries: int = 1
    """Each of them may use that much."""

    @property
    def tokens(self) -> int:
        """All of them."""
        return (self.input_tokens + self.output_tokens) * self.tries

    @property
    def cost(self) -> int:
        """Nanodollars, as far as is known."""
        return (self.nanodollars or 0) * self.tries

    @property
    def usage(self) -> dict[str, int]:
        """As the usage of a model call of which nobody knows what it used."""
        tries, priced = self.tries, self.nanodollars is not None
        usage = {
            "requests": tries,
            "input_tokens": self.input_tokens * tries,
            "output_tokens": self.output_tokens * tries,
            "cost_nanodollars": self.cost,
            "unpriced_requests": 0 if priced else tries,
            "estimated_requests": tries,
            "estimated_tokens": self.tokens,
            "estimated_nanodollars": self.cost,
        }
        return {name: count for name, count in usage.items() if count}


@dataclass(frozen=True, slots=True)
class Granted:
    """A reservation that fits, and the budget and limit that made its output smaller, if any."""

    reservation: Reservation
    bound_by: tuple[str, Limit] | None
    limits_output: bool
    """Whether the response must not be longer than what is reserved."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A reservation that does not fit."""

    met: LimitMet
    may_fit: bool
    """Whether it would, if the calls under way used nothing of what is reserved for them."""


def reserve(
    connection: sa.Connection,
    _conversation: str,
    task: str,
    epoch: int,
    chain: Chain,
    wanted: Wanted,
) -> Granted | Refused:
    """Reserve a model call of a task in every budget of its chain, or in none.

    Raises BudgetNotEnforceable, StaleEpoch.
    """
    output = wanted.output_tokens
    bound_by: tuple[str, Limit] | None = None
    least = min(LEAST_OUTPUT, output)
    rows = [connection.execute(_get, {"budget": each}).one() for each in chain]
    for row in rows:
        for limit, room, if_none_reserved in _rooms(row, wanted):
            if room < least:
                what = f"{_reserved(row, limit)}the next model call may not fit"
                return Refused(LimitMet(row.id, limit, what), if_none_reserved >= least)
            if room < output:
                output = room
                bound_by = (row.id, limit)
    reservation = Reservation(wanted.input_tokens, output, cost_of(wanted, output))
    _hold(connection, task, epoch, chain, reservation)
    limited = any(row.limit_tokens or row.limit_nanodollars for row in rows)
    return Granted(reservation, bound_by, limited)


def _rooms(row: sa.Row[Any], wanted: Wanted) -> Iterator[tuple[Limit, int, int]]:
    """By limit, the tokens of output that it has room for: now, and if nothing was reserved."""
    enough = wanted.output_tokens
    if row.limit_model_calls is not None:
        # What is reserved of these will be spent: no call ends without having been one.
        left = row.limit_model_calls - row.spent_model_calls - row.reserved_model_calls
        room = enough if left >= 1 else -1
        yield "model_calls", room, room
    if row.limit_tokens is not None:
        left = row.limit_tokens - row.spent_tokens - wanted.input_tokens
        yield "tokens", left - row.reserved_tokens, left
    if row.limit_nanodollars is not None:
        if wanted.input_cost is None or wanted.output_rate is None:
            raise not_enforceable(wanted.model)
        left = row.limit_nanodollars - row.spent_nanodollars - wanted.input_cost
        now = left - row.reserved_nanodollars
        rate = wanted.output_rate
        yield "dollars", _affordable(now, rate, enough), _affordable(left, rate, enough)


def _affordable(nanodollars: int, rate: Decimal, enough: int) -> int:
    if nanodollars < 0:
        return -1
    return int(nanodollars / rate) if rate else enough


def _reserved(row: sa.Row[Any], limit: Limit) -> str:
    """What stands in the way beside what is spent."""
    reserved: dict[Limit, float] = {
        "tokens": row.reserved_tokens,
        "dollars": row.reserved_nanodollars / 1_000_000_000,
        "model_calls": row.reserved_model_calls,
    }
    count = reserved[limit]
    return f"{_amount(limit, count)} are reserved for calls under way, and " if count else ""


def cost_of(wanted: Wanted, output: int) -> int | None:
    """Nanodollars for a call with so many tokens of output; None if its price is not known."""
    if wanted.input_cost is None or wanted.output_rate is None:
        return None
    return wanted.input_cost + math.ceil(wanted.output_rate * output)


def _hold(
    connection: sa.Connection, task: str, epoch: int, chain: Chain, reservation: Reservation
) -> None:
    held = connection.execute(
        _insert_reservation,
        {
            "task": task,
            "of_epoch": epoch,
            "input": reservation.input_tokens,
            "output": reservation.output_tokens,
            "cost": reservation.nanodollars,
        },
    )
    if not held.rowcount:
        raise StaleEpoch(f"task {task} goes on under another epoch than {epoch}")
    for budget in chain:
        taken = _take_from(connection, budget, reservation, model_calls=1)
        assert taken, f"budget {budget} has less room than it had in this transaction"


def _take_from(
    connection: sa.Connection, budget: str, reservation: Reservation, *, model_calls: int
) -> bool:
    return bool(
        connection.execute(
            _take,
            {
                "budget": budget,
                "tokens": reservation.tokens,
                "nanodollars": reservation.cost,
                "model_calls": model_calls,
            },
        ).rowcount
    )


def reserve_again(
    connection: sa.Connection, _conversation: str, task: str, epoch: int, chain: Chain
) -> None:
    """Reserve as much as before once more, for another try.

    Raises LimitMet, StaleEpoch; then all stays as it was.
    """
    held = connection.execute(_one_more_try, {"task": task, "of_epoch": epoch}).first()
    if held is None:
        raise StaleEpoch(f"task {task} goes on under another epoch than {epoch}")
    one = replace(_reservation(held), tries=1)
    for budget in chain:
        if not _take_from(connection, budget, one, model_calls=0):
            row = connection.execute(_get, {"budget": budget}).one()
            tokens = row.spent_tokens + row.reserved_tokens + one.tokens
            full = row.limit_tokens is not None and tokens > row.limit_tokens
            what = "a try failed that may have cost something, and another may not fit"
            raise LimitMet(budget, "tokens" if full else "dollars", what)


# --- after it ---


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model call has come to, and the skill calls that it led to."""

    chain: Chain
    tokens: int = 0
    nanodollars: int = 0
    model_calls: int = 1
    estimated_tokens: int = 0
    """Of these, so many are an estimate, as nobody said what was used."""
    estimated_nanodollars: int = 0
    estimated_model_calls: int = 0
    skill_calls: int = 0

    @classmethod
    def of(cls, chain: Chain, usage: Mapping[str, int], *, estimated: bool = False) -> Spent:
        """What the usage of a model call comes to; `estimated` if all of it is."""
        return cls(
            chain,
            tokens=usage.get("input_tokens", 0) + usage.get("output_tokens", 0),
            nanodollars=usage.get("cost_nanodollars", 0),
            estimated_tokens=usage.get("estimated_tokens", 0),
            estimated_nanodollars=usage.get("estimated_nanodollars", 0),
            estimated_model_calls=1 if estimated else 0,
        )


def settle(connection: sa.Connection, task: str, spent: Spent) -> None:
    """Put what was spent in the place of what was reserved.

    Raises LimitMet when the skill calls do not fit; then all stays as it was.
    """
    held = connection.execute(_release, {"task": task}).first()
    reserved = Reservation(0, 0, 0) if held is None else _reservation(held)
    given = {
        "skill_calls": spent.skill_calls,
        "reserved_tokens_more": -reserved.tokens,
        "reserved_nanodollars_more": -reserved.cost,
        "reserved_model_calls_more": 0 if held is None else -1,
    } | {
        f"{kind}_{name}_more": getattr(spent, name if kind == "spent" else f"estimated_{name}")
        for kind in ("spent", "estimated")
        for name in _COUNTED
    }
    for budget in spent.chain:
        if not connection.execute(_spend, {"budget": budget} | given).rowcount:
            what = f"the {spent.skill_calls} that were asked for do not fit, and none was made"
            raise LimitMet(budget, "skill_calls", what)


def reservation_of(connection: sa.Connection, task: str) -> Reservation | None:
    """What is reserved for a model call of a task that has not come to anything yet."""
    held = connection.execute(_held_by, {"task": task}).first()
    return None if held is None else _reservation(held)


def chain_of(connection: sa.Connection, budget: str | None) -> Chain:
    """A budget and those above it."""
    chain: list[str] = []
    while budget is not None:
        chain.append(budget)
        budget = connection.execute(_get, {"budget": budget}).one().parent_id
    return tuple(chain)


def some(connection: sa.Connection, ids: Sequence[str]) -> Sequence[sa.Row[Any]]:
    """These budgets."""
    return connection.execute(sa.select(budgets).where(budgets.c.id.in_(ids))).all()


def _reservation(row: sa.Row[Any]) -> Reservation:
    return Reservation(row.input_tokens, row.output_tokens, row.nanodollars, row.tries)
