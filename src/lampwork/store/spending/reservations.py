"""What is reserved in budgets for a model call, and what came of it.

A reservation must fit every budget from the task's nearest one up to the root's; all that is
asked here happens in one transaction, or not at all. Money is in nanodollars.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from lampwork.store.schema import budgets as table
from lampwork.store.schema import entries, reservations, tasks
from lampwork.store.schema.base import LARGE
from lampwork.store.spending import budgets
from lampwork.store.spending.budgets import Chain, Limit, LimitMet
from lampwork.store.tasks import conversations, places
from lampwork.store.tasks.conversations import StaleEpoch

__all__ = [
    "USUAL_OUTPUT",
    "Granted",
    "Refused",
    "Reservation",
    "Spent",
    "Wanted",
    "cost_of",
    "reservation_of",
    "reserve",
    "reserve_again",
    "settle",
    "usage_at_end",
]

LEAST_OUTPUT = 64
"""Tokens that a response must have room for, if the model may give as many; OpenAI wants 16."""

USUAL_OUTPUT = 16_384
"""Tokens that a response is taken to hold at the most where its model sets no limit."""

_COUNTED = ("tokens", "nanodollars", "model_calls")


def _is_full(budget: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a budget has no room for what is to be reserved."""
    at_most = budget.c
    return sa.or_(
        *(
            at_most[f"spent_{name}"] + at_most[f"reserved_{name}"] + sa.bindparam(name, type_=LARGE)
            > at_most[f"limit_{name}"]
            for name in _COUNTED
        )
    )


_chain: sa.BindParameter[Any] = sa.bindparam("chain", expanding=True)
_other = table.alias("other")
_take_from_all = (
    sa.update(table)
    .where(
        table.c.id.in_(_chain),
        ~sa.exists().where(_other.c.id.in_(_chain), _is_full(_other)),
    )
    .values(
        {
            f"reserved_{name}": table.c[f"reserved_{name}"] + sa.bindparam(name, type_=LARGE)
            for name in _COUNTED
        }
    )
    .returning(table.c.limit_tokens, table.c.limit_nanodollars)
)
_insert_reservation = sa.insert(reservations).from_select(
    ["task_id", "input_tokens", "output_tokens", "nanodollars", "tries"],
    sa.select(
        tasks.c.id,
        sa.bindparam("input", type_=LARGE),
        sa.bindparam("output", type_=LARGE),
        sa.bindparam("cost", type_=LARGE),
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
    sa.update(table)
    .where(
        table.c.id == sa.bindparam("budget"),
        sa.or_(
            sa.bindparam("skill_calls", type_=LARGE) == 0,
            table.c.limit_skill_calls.is_(None),
            table.c.spent_skill_calls + sa.bindparam("skill_calls", type_=LARGE)
            <= table.c.limit_skill_calls,
        ),
    )
    .values(
        {"spent_skill_calls": table.c.spent_skill_calls + sa.bindparam("skill_calls", type_=LARGE)}
        | {
            f"{kind}_{name}": table.c[f"{kind}_{name}"]
            + sa.bindparam(f"{kind}_{name}_more", type_=LARGE)
            for kind in ("reserved", "spent", "estimated")
            for name in _COUNTED
        }
    )
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
    bound_by: tuple[str, Limit] | None = None
    reservation = _at_the_most(wanted, wanted.output_tokens)
    limits = _take(connection, chain, reservation, model_calls=1)
    if not limits:
        found = _smaller(connection, chain, wanted)
        if isinstance(found, Refused):
            return found
        output, bound_by = found
        reservation = _at_the_most(wanted, output)
        limits = _take(connection, chain, reservation, model_calls=1)
        assert limits, f"budgets {chain} have less room than they had in this transaction"
    if reservation.nanodollars is None and any(
        each.limit_nanodollars is not None for each in limits
    ):
        raise budgets.not_enforceable(wanted.model)
    _hold(connection, task, epoch, reservation)
    limited = any(each.limit_tokens or each.limit_nanodollars for each in limits)
    return Granted(reservation, bound_by, limited)


def _at_the_most(wanted: Wanted, output: int) -> Reservation:
    return Reservation(wanted.input_tokens, output, cost_of(wanted, output))


def _smaller(
    connection: sa.Connection, chain: Chain, wanted: Wanted
) -> tuple[int, tuple[str, Limit] | None] | Refused:
    """The tokens of output that a whole chain has room for, and what bounds them."""
    output = wanted.output_tokens
    bound_by: tuple[str, Limit] | None = None
    least = min(LEAST_OUTPUT, output)
    for row in (budgets.get(connection, each) for each in chain):
        for limit, room, if_none_reserved in _rooms(row, wanted):
            if room < least:
                what = f"{_reserved(row, limit)}{_not_fitting(limit, wanted, least)}"
                return Refused(LimitMet(row.id, limit, what), if_none_reserved >= least)
            if room < output:
                output = room
                bound_by = (row.id, limit)
    return output, bound_by


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
            raise budgets.not_enforceable(wanted.model)
        left = row.limit_nanodollars - row.spent_nanodollars - wanted.input_cost
        now = left - row.reserved_nanodollars
        rate = wanted.output_rate
        yield "dollars", _affordable(now, rate, enough), _affordable(left, rate, enough)


def _affordable(nanodollars: int, rate: Decimal, enough: int) -> int:
    if nanodollars < 0:
        return -1
    return int(nanodollars / rate) if rate else enough


def _not_fitting(limit: Limit, wanted: Wanted, least: int) -> str:
    """Why there is no room, and what would have been enough."""
    if limit == "model_calls":
        return "the next model call does not fit"
    needs = f"about {wanted.input_tokens:,} tokens for the request and at least {least:,}"
    cost = ""
    if limit == "dollars" and (nanodollars := cost_of(wanted, least)) is not None:
        cost = f", {budgets.amount('dollars', nanodollars / 1_000_000_000)} together"
    return f"the next model call may not fit: it needs {needs} for the response{cost}"


def _reserved(row: sa.Row[Any], limit: Limit) -> str:
    """What stands in the way beside what is spent."""
    reserved: dict[Limit, float] = {
        "tokens": row.reserved_tokens,
        "dollars": row.reserved_nanodollars / 1_000_000_000,
        "model_calls": row.reserved_model_calls,
    }
    count = reserved[limit]
    return f"{budgets.amount(limit, count)} are reserved for calls under way, and " if count else ""


def cost_of(wanted: Wanted, output: int) -> int | None:
    """Nanodollars for a call with so many tokens of output; None if its price is not known."""
    if wanted.input_cost is None or wanted.output_rate is None:
        return None
    return wanted.input_cost + math.ceil(wanted.output_rate * output)


def _hold(connection: sa.Connection, task: str, epoch: int, reservation: Reservation) -> None:
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


def _take(
    connection: sa.Connection, chain: Chain, reservation: Reservation, *, model_calls: int
) -> Sequence[Any]:
    """Take it from every budget of a chain, if each has room for it: what limits them, else none.

    One statement, for every model call under a budget makes it.
    """
    return connection.execute(
        _take_from_all,
        {
            "chain": chain,
            "tokens": reservation.tokens,
            "nanodollars": reservation.cost,
            "model_calls": model_calls,
        },
    ).all()


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
    if not _take(connection, chain, one, model_calls=0):
        what = "a try failed that may have cost something, and another may not fit"
        raise LimitMet(*_first_full(connection, chain, one), what)


def _first_full(
    connection: sa.Connection, chain: Chain, reservation: Reservation
) -> tuple[str, Limit]:
    """The nearest budget without room for a reservation, and the limit that stands in its way."""
    for row in (budgets.get(connection, each) for each in chain):
        tokens = row.spent_tokens + row.reserved_tokens + reservation.tokens
        if row.limit_tokens is not None and tokens > row.limit_tokens:
            return row.id, "tokens"
        cost = row.spent_nanodollars + row.reserved_nanodollars + reservation.cost
        if row.limit_nanodollars is not None and cost > row.limit_nanodollars:
            return row.id, "dollars"
    raise AssertionError(f"budgets {chain} have room for {reservation}")


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


def _reservation(row: sa.Row[Any]) -> Reservation:
    return Reservation(row.input_tokens, row.output_tokens, row.nanodollars, row.tries)


# --- at the end of a task ---


def usage_at_end(connection: sa.Connection, task: sa.Row[Any]) -> dict[str, int]:
    """What an unfinished task has used; a model call without a reply on record is estimated."""
    usage = conversations.usage_so_far(connection, task)
    call = reservation_of(connection, task.id)
    if call is not None:
        chain = budgets.chain_of(connection, task.budget_id)
        settle(connection, task.id, Spent.of(chain, call.usage, estimated=True))
    elif task.metered and task.budget_id is None:
        call = _call_under_way(connection, task)
    return usage if call is None else conversations.sum_up([usage, call.usage])


def _call_under_way(connection: sa.Connection, task: sa.Row[Any]) -> Reservation | None:
    """The model call that a dead run may have begun: no skill call is open, no end was written."""
    size = sa.func.length(sa.cast(entries.c.body, sa.LargeBinary))
    call = entries.c.body["call"].as_string()
    rows = connection.execute(
        sa.select(entries.c.kind, entries.c.task_id, size.label("size"), call.label("call"))
        .where(
            entries.c.conversation_id == task.conversation_id,
            sa.or_(entries.c.seq <= task.history_until, entries.c.task_id == task.id),
        )
        .order_by(entries.c.seq)
    ).all()
    own = [row for row in rows if row.task_id == task.id]
    asked = {row.call for row in own if row.kind in ("intent", "proposal")}
    over = {row.call for row in own if row.kind == "result"}
    if not own or asked - over or own[-1].kind == "unanswered":
        return None
    if places.only_waited(connection, task.job_id, task.id, task.epoch + 1):
        return None
    return Reservation(sum(row.size for row in rows), USUAL_OUTPUT, None)
