"""How a process executes jobs, as far as the command line says: for `worker` and `serve`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_SECONDS = click.FloatRange(min=0)

_OPTIONS = {
    "grace": (_SECONDS, "Seconds that what executes gets to end when the process closes; 10."),
    "heartbeat": (
        click.FloatRange(min=0.1, max=60),
        "Seconds between two signs of life on a server; after three without, others take over; 3.",
    ),
    "park_after": (_SECONDS, "Seconds after which a job that only waits leaves the memory; 30."),
    "max_live": (click.IntRange(min=1), "Jobs in memory at the most; 1000."),
}
"""By field of `Settings`."""


def tuned(command: Command) -> Command:
    """Options for the settings of those that execute; the given ones come as `tuning`, by field."""

    @functools.wraps(command)
    def with_tuning(*args: Any, **others: Any) -> Any:
        named = {name: others.pop(name) for name in _OPTIONS}
        given = {name: value for name, value in named.items() if value is not None}
        return command(*args, tuning=given, **others)

    decorated: Any = with_tuning
    for name, (kind, said) in reversed(_OPTIONS.items()):
        option = f"--{name.replace('_', '-')}"
        decorated = click.option(option, name, type=kind, metavar="N", help=said)(decorated)
    return cast(Command, decorated)
