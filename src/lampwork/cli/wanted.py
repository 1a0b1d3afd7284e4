"""Which jobs and conversations a list is to hold, as people type it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_args

import click

from lampwork.cli import completing
from lampwork.retention import seconds_of
from lampwork.types import WaitKind

__all__ = ["filtered", "typed"]

Command = TypeVar("Command", bound=Callable[..., Any])


def filtered(command: Command) -> Command:
    """The filters that both lists have, each under its own name."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def typed(wanted: Mapping[str, Any]) -> Iterator[str]:
    """The filters as they are typed; moments as they were understood."""
    for name, each in wanted.items():
        yield f"--{name.replace('_', '-')}"
        if each is not True:
            yield each.isoformat() if isinstance(each, datetime) else str(each)


def _moment(_context: Any, parameter: click.Parameter, given: str | None) -> datetime | None:
    """How long ago, or a moment. Raises BadParameter."""
    if given is None:
        return None
    if (seconds := seconds_of(given)) is not None:
        return datetime.now(UTC) - timedelta(seconds=seconds)
    try:
        return datetime.fromisoformat(given).astimezone()
    except ValueError:
        raise click.BadParameter(
            f'"{given}" is neither a length of time, as 2h or 7d, nor a moment in ISO 8601',
            param_hint=parameter.opts[0],
        ) from None


_FILTERS = (
    click.option("--recipe", type=completing.recipe, help="Only those of jobs of this recipe."),
    click.option(
        "--waiting-on",
        type=click.Choice(get_args(WaitKind)),
        metavar="KIND",
        help=f"Only those whose job waits for such a thing: {', '.join(get_args(WaitKind))}.",
    ),
    click.option("--genie", type=completing.genie, help="Only those with a task of this genie."),
    click.option(
        "--metadata", metavar="KEY[=VALUE]", help="Only those whose tasks have this, by text."
    ),
    click.option(
        "--text", help="Only those whose id begins so, or whose instructions, or input, have it."
    ),
    click.option(
        "--since", callback=_moment, metavar="TIME", help="Begun then or later: 2h, 7d ago."
    ),
    click.option("--until", callback=_moment, metavar="TIME", help="Begun before that."),
)
