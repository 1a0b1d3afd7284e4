"""`--budget` and `--deadline`, as they are typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from lampwork.errors import InputInvalid, one_of
from lampwork.genies.budget import Budget
from lampwork.retention import seconds_of

Command = TypeVar("Command", bound=Callable[..., Any])

_LIMITS = tuple(each.name for each in fields(Budget))
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def limits(command: Command) -> Command:
    """The options `--budget` and `--deadline`, as `Budget` and as a moment or a length of time."""
    budget = click.option(
        "--budget",
        callback=read_budget,
        metavar="LIMIT=N,…",
        help="What it may spend, with all that it delegates: "
        "tokens, dollars, model_calls, skill_calls, seconds, depth.",
    )
    deadline = click.option(
        "--deadline",
        callback=read_deadline,
        metavar="TIME",
        help="Until when: 90s, 10m, 2h, 1d from now, or a moment in ISO 8601.",
    )
    return budget(deadline(command))


def length_of_time(_context: Any, parameter: click.Parameter, given: str | None) -> float | None:
    """`90s`, `12h`, `30d`, `1y`: in seconds."""
    if given is None:
        return None
    if (seconds := seconds_of(given)) is not None:
        return seconds
    raise click.BadParameter(
        f'"{given}" is no length of time such as 90d, 12h', param_hint=parameter.opts[0]
    )


def read_budget(_context: Any, _parameter: Any, given: str | None) -> Budget | None:
    """`dollars=0.5,tokens=20000`."""
    if given is None:
        return None
    limits: dict[str, Any] = {}
    for pair in given.split(","):
        name, equals, text = (each.strip() for each in pair.partition("="))
        if not equals or name in limits:
            raise click.BadParameter(f'"{pair}" is not LIMIT=N, given once', param_hint="--budget")
        if name not in _LIMITS:
            raise click.BadParameter(
                f'there is no limit "{name}". {one_of(name, _LIMITS)}', param_hint="--budget"
            )
        try:
            limits[name] = float(text) if name in ("dollars", "seconds") else int(text)
        except ValueError as error:
            raise click.BadParameter(f'"{text}" is no number', param_hint="--budget") from error
    try:
        return Budget(**limits)
    except InputInvalid as error:
        raise click.BadParameter(str(error), param_hint="--budget") from error


def read_deadline(_context: Any, _parameter: Any, given: str | None) -> datetime | timedelta | None:
    """`10m`, or a moment; one without a time zone is what the clock shows here."""
    if given is None:
        return None
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", given):
        return timedelta(**{_UNITS[found[2]]: float(found[1])})
    try:
        moment = datetime.fromisoformat(given).astimezone()
    except ValueError as error:
        raise click.BadParameter(
            f'"{given}" is neither 90s, 10m, 2h, 1d nor a moment such as 2027-03-01T12:00',
            param_hint="--deadline",
        ) from error
    if moment <= datetime.now(UTC):
        raise click.BadParameter(f"{given} has passed", param_hint="--deadline")
    return moment
