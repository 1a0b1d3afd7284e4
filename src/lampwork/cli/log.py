"""The log of a verb that executes, on stderr: its form, and when its lines begin."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from logging.handlers import MemoryHandler
from typing import Any, TypeVar

import click

from lampwork.cli import output
from lampwork.logs import LogFormat, writing

Command = TypeVar("Command", bound=Callable[..., Any])

_HELD = 10_000
"""Lines that are held back at the most."""

_log = logging.getLogger("lampwork.worker")


def log_option(command: Command) -> Command:
    """`--log`, as the keyword argument `log_format`."""
    return click.option(
        "--log",
        "log_format",
        type=click.Choice(["text", "json"]),
        envvar="LAMPWORK_LOG",
        default="text",
        show_default=True,
        help="How the log on stderr is written; else LAMPWORK_LOG.",
    )(command)


class Log:
    """The log of the process, held back, but for errors, until it is let go."""

    def __init__(self, form: LogFormat) -> None:
        self.form = form
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(writing(form))
        self._held = MemoryHandler(_HELD, flushLevel=logging.ERROR, target=handler)
        ours = logging.getLogger("lampwork")
        ours.setLevel(logging.INFO)
        # What programs read is JSON to the last line, also where others write.
        where = logging.getLogger() if form == "json" else ours
        where.addHandler(self._held)

    def let_go(self) -> None:
        """From now on each line is written at once."""
        self._held.capacity = 0
        self._held.flush()

    def tell(self, said: str, event: str, *, level: int = logging.WARNING, **fields: Any) -> None:
        """A line beside the log for people, of it for programs."""
        if self.form == "json":
            _log.log(level, said, extra={"event": event, **fields})
        else:
            output.warn(said)
