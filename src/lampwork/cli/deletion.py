"""How verbs that delete go about it: they say how much would go, ask, do it, and report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import click

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.cli.reading import reading
from lampwork.insights import Insights
from lampwork.place import Server
from lampwork.types import Json
from lampwork.upkeep import pruning
from lampwork.upkeep.pruning import Amount, Space
from lampwork.views import to_json

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Doomed:
    """What would go."""

    amount: Amount
    record: Json
    """The same for programs."""
    notes: Sequence[str] = ()
    """What one should know of it before one says yes."""
    question: str = ""
    """Whether it is meant, in place of `Delete it?`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A deletion, as somebody asks for it."""

    options: Options
    verb: Literal["delete", "erase"]
    dry_run: bool
    yes: bool
    look: Callable[[Insights], Awaitable[Doomed]]
    """Changes nothing."""
    carry_out: Callable[[Insights], Awaitable[Amount]]
    remains: str = ""
    """What is to be known of the bytes that stay in the files for now."""

    def perform(self, nothing: Doomed) -> int:
        """The exit code; `nothing` is what would go where nothing was ever written."""
        code = asyncio.run(reading(self.options, self._perform))
        if code is None and self.dry_run:
            self._foretell(nothing)
        elif code is None:
            self._report(nothing.amount, None)
        return code or 0

    async def _perform(self, insights: Insights) -> int:
        if self.dry_run or not self.yes:
            there = await self.look(insights)
            if self.dry_run:
                self._foretell(there)
                return 0
            if not self._is_meant(there):
                return 1
        gone = await self.carry_out(insights)
        self._report(gone, await asyncio.to_thread(pruning.give_back, insights.store))
        return 0

    def _is_meant(self, there: Doomed) -> bool:
        refusal = f"Nothing was {self.verb}d."
        if self.options.as_json or not sys.stdin.isatty():
            raise click.UsageError(f"{refusal} Add --yes to do it, --dry-run to look.")
        if not _any(there.amount):
            return True
        self._foretell(there)
        if click.confirm(there.question or f"{self.verb.capitalize()} it?"):
            return True
        output.say(refusal)
        return False

    def _foretell(self, there: Doomed) -> None:
        if self.options.as_json:
            output.say_json({f"would_{self.verb}": there.record})
        elif not _any(there.amount):
            output.say(f"There is nothing to {self.verb}.")
        else:
            output.say(f"Would be {self.verb}d: {_in_words(there.amount)}.")
            for note in there.notes:
                output.say(note)

    def _report(self, gone: Amount, space: Space | None) -> None:
        if self.options.as_json:
            output.say_json({f"{self.verb}d": to_json(gone), "space": to_json(space)})
            return
        if not _any(gone):
            output.say(f"There was nothing to {self.verb}.")
            return
        output.say(f"{self.verb.capitalize()}d {_in_words(gone)}.")
        if space is not None:
            self._report_space(gone, space)

    def _report_space(self, gone: Amount, space: Space) -> None:
        if space.given_back:
            output.say(f"The files are smaller by {output.size(space.given_back)}.")
        if space.kept is None:
            return
        if isinstance(self.options.settings.place, Server):
            output.say("The server frees its space by itself, as it vacuums the tables.")
        elif gone.bytes:
            output.say(
                f"What is free now stays in the files for what is written next, because "
                f"{space.kept}. To give it back to the disk, stop that and type: "
                f"{self.options.to_type('prune', '--yes')}"
            )
        if self.remains:
            output.say(self.remains)


def asked_first(command: Command) -> Command:
    """The options `--dry-run` and `--yes`."""
    dry_run = click.option("--dry-run", is_flag=True, help="Only say how much would go.")
    yes = click.option("--yes", is_flag=True, help="Don't ask.")
    return dry_run(yes(command))


def _any(amount: Amount) -> bool:
    return amount.jobs + amount.conversations > 0


def _in_words(amount: Amount) -> str:
    parts = [
        f"{output.counted(amount.jobs, 'job')} in {output.counted(amount.trees, 'tree')}",
        output.counted(amount.tasks, "task"),
        f"{output.counted(amount.conversations, 'conversation')} of {amount.entries} entries",
    ]
    if amount.bytes:  # a server does not tell
        parts.append(output.size(amount.bytes))
    return ", ".join(parts)
