"""How a process executes jobs, as far as the command line says: for `worker` and `serve`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_SECONDS = click.FloatRange(min=0)
_BEATS = click.FloatRange(min=0.1, max=60)


def tuned(command: Command) -> Command:
    """The settings of those that execute, as the keyword argument `tuning`: those that were given.

    Each stands for the field of `Settings` of its name.
    """

    @functools.wraps(command)
    def with_tuning(
        *args: Any,
        grace: float | None,
        heartbeat: float | None,
        park_after: float | None,
        max_live: int | None,
        **others: Any,
    ) -> Any:
        named = {
            "grace": grace,
            "heartbeat": heartbeat,
            "park_after": park_after,
            "max_live": max_live,
        }
        given = {name: value for name, value in named.items() if value is not None}
        return command(*args, tuning=given, **others)

    options = (
        click.option(
            "--grace",
            type=_SECONDS,
            metavar="SECONDS",
            help="What executes gets so long to end when the process closes; 10.",
        ),
        click.option(
            "--heartbeat",
            type=_BEATS,
            metavar="SECONDS",
            help="Between two signs of life on a server; after three without, others take over; 3.",
        ),
        click.option(
            "--park-after",
            type=_SECONDS,
            metavar="SECONDS",
            help="A job that only waits leaves the memory then; 30.",
        ),
        click.option(
            "--max-live",
            type=click.IntRange(min=1),
            metavar="N",
            help="Jobs in memory at the most; 1000.",
        ),
    )
    decorated: Any = with_tuning
    for option in reversed(options):
        decorated = option(decorated)
    return cast(Command, decorated)
