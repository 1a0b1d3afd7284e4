"""`lampwork prune`: jobs that ended long ago are deleted, with all that belongs to them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from lampwork import pruning
from lampwork.cli import output
from lampwork.cli.limits import length_of_time
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import reading
from lampwork.insights import Insights, to_json
from lampwork.pruning import Amount, Space


@click.command(
    "prune",
    epilog=examples("lampwork prune --dry-run", "lampwork prune --older-than 90d --yes"),
)
@click.option(
    "--older-than",
    default="30d",
    callback=length_of_time,
    metavar="TIME",
    help="How long ago all of a tree must have ended: 12h, 90d; 30d without it.",
)
@click.option(
    "--conversations",
    callback=length_of_time,
    metavar="TIME",
    help="How long ago the last word in a conversation must have been said; as --older-than.",
)
@click.option("--dry-run", is_flag=True, help="Only say how much would go.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@shared
def command(
    older_than: float,
    conversations: float | None,
    dry_run: bool,
    yes: bool,
    options: Options,
) -> int:
    """Delete jobs that ended long ago, with their tasks, conversations, files and records.

    A tree of jobs goes as a whole, together with its copies, or stays. A conversation goes when all
    of its jobs are gone and nobody has written to it for that long. The keys of polls stay, so no
    item starts a second job.
    """
    if conversations is not None and conversations < older_than:
        raise click.BadParameter(
            "conversations can't go before their jobs", param_hint="--conversations"
        )

    async def do(insights: Insights) -> int:
        if dry_run or not yes:
            found = await pruning.plan(insights.store, older_than, conversations=conversations)
            if dry_run:
                _say(options, found, None)
                return 0
            if not _confirmed(options, found):
                return 1
        gone = await pruning.delete(
            insights.store, older_than, _progress(options), conversations=conversations
        )
        space = await asyncio.to_thread(pruning.give_back, insights.store)
        _say(options, gone, space)
        return 0

    code = asyncio.run(reading(options, do))
    if code is None:
        _say(options, Amount(), None)
    return code or 0


def _confirmed(options: Options, found: Amount) -> bool:
    if options.as_json or not sys.stdin.isatty():
        raise click.UsageError("Nothing was deleted. Add --yes to do it, --dry-run to look.")
    if not _any(found):
        return True
    if click.confirm(f"Delete {in_words(found)}?"):
        return True
    output.say("Nothing was deleted.")
    return False


def _progress(options: Options) -> Any:
    def tell(gone: Amount) -> None:
        if output.on_terminal() and not options.as_json:
            print(f"\r{output.counted(gone.jobs, 'job')} deleted …", end="", file=sys.stderr)

    return tell


def _say(options: Options, amount: Amount, space: Space | None) -> None:
    if options.as_json:
        record = {"deleted" if space else "would_delete": to_json(amount)}
        output.say_json(record | ({"space": to_json(space)} if space else {}))
        return
    if output.on_terminal() and space is not None:
        print("\r\033[K", end="", file=sys.stderr)
    if space is None:
        output.say(f"Would go: {in_words(amount)}." if _any(amount) else "Nothing would go.")
        return
    output.say(f"Deleted {in_words(amount)}." if _any(amount) else "There was nothing to delete.")
    say_space(options, amount, space)


def say_space(options: Options, amount: Amount, space: Space) -> None:
    """What became of the space on the disk."""
    if space.given_back:
        output.say(f"The files are smaller by {output.size(space.given_back)}.")
    if space.kept is not None and amount.bytes:
        output.say(
            f"What is free now stays in the files for what is written next, because {space.kept}. "
            f"To give it back to the disk, stop that and type: {options.to_type('prune', '--yes')}"
        )


def _any(amount: Amount) -> bool:
    return amount.jobs + amount.conversations > 0


def in_words(amount: Amount) -> str:
    """How much it is."""
    parts = [
        f"{output.counted(amount.jobs, 'job')} in {output.counted(amount.trees, 'tree')}",
        output.counted(amount.tasks, "task"),
        f"{output.counted(amount.conversations, 'conversation')} of {amount.entries} entries",
        output.size(amount.bytes),
    ]
    return ", ".join(parts)
