"""`lampwork prune`: jobs that ended long ago are deleted, with all that belongs to them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from lampwork.cli import output
from lampwork.cli.deletion import Deletion, Doomed, asked_first
from lampwork.cli.limits import length_of_time
from lampwork.cli.options import Options, examples, shared
from lampwork.insights import Insights
from lampwork.upkeep import pruning
from lampwork.upkeep.pruning import Amount
from lampwork.views import to_json


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
@asked_first
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

    async def look(insights: Insights) -> Doomed:
        found = await pruning.plan(insights.store, older_than, conversations=conversations)
        return Doomed(found, to_json(found))

    async def carry_out(insights: Insights) -> Amount:
        tell = _progress(options)
        gone = await pruning.delete(insights.store, older_than, tell, conversations=conversations)
        _clear(options)
        return gone

    return Deletion(
        options=options, verb="delete", dry_run=dry_run, yes=yes, look=look, carry_out=carry_out
    ).perform(nothing=Doomed(Amount(), to_json(Amount())))


def _progress(options: Options) -> Callable[[Amount], None]:
    def tell(gone: Amount) -> None:
        if output.on_terminal() and not options.as_json:
            print(f"\r{output.counted(gone.jobs, 'job')} deleted …", end="", file=sys.stderr)

    return tell


def _clear(options: Options) -> None:
    """Take the progress back."""
    if output.on_terminal() and not options.as_json:
        print("\r\033[K", end="", file=sys.stderr)
