"""`lampwork erase`: what there is of a person is erased, and tombstones of the work stay."""

from __future__ import annotations

import asyncio
import sys

import click

from lampwork import pruning
from lampwork.cli import output
from lampwork.cli.metadata import texts_of
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.prune import in_words, say_space
from lampwork.cli.reading import reading
from lampwork.erasing import Erasure
from lampwork.insights import Insights, to_json
from lampwork.jobs_door import JobsDoor
from lampwork.pruning import Amount, Space

_UNTIL_THEN = (
    "Until then the bytes of what was erased are still in the free parts of the files, "
    "and in their backups."
)


@click.command(
    "erase",
    epilog=examples(
        "lampwork erase --user ann --metadata email=ann@example.org --dry-run",
        "lampwork erase --user ann --cancel --yes",
    ),
)
@click.option("--user", metavar="USER", help="Whose chats go.")
@click.option(
    "--metadata",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="What the metadata of a task name; again for another key.",
)
@click.option("--cancel", is_flag=True, help="Cancel what has not ended, and wait until it has.")
@click.option("--dry-run", is_flag=True, help="Only say how much would go.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@shared
def command(
    user: str | None,
    pairs: tuple[str, ...],
    cancel: bool,
    dry_run: bool,
    yes: bool,
    options: Options,
) -> int:
    """Erase what there is of a person: chats, tasks, files, records.

    Found are the chats of a user, and tasks that have one of these values among their metadata.
    Their trees of jobs are erased as a whole, with copies and with all that wrote to the same
    conversations. Of jobs and tasks it stays on record that they were, when, how they ended and
    what they spent.
    """
    if user is None and not pairs:
        raise click.UsageError("Say who: --user USER, --metadata KEY=VALUE, or both.")
    metadata = texts_of(pairs)

    async def do(insights: Insights) -> int:
        door = JobsDoor(insights.store)
        if dry_run or not yes:
            there = await door.plan_erasure(user=user, metadata=metadata)
            if dry_run:
                _say_plan(options, there)
                return 0
            if not _confirmed(options, there, cancel=cancel):
                return 1
        gone = await door.erase(user=user, metadata=metadata, cancel=cancel)
        space = await asyncio.to_thread(pruning.give_back, insights.store)
        _say(options, gone, space)
        return 0

    code = asyncio.run(reading(options, do))
    if code is None:
        _say(options, Amount(), None)
    return code or 0


def _confirmed(options: Options, there: Erasure, *, cancel: bool) -> bool:
    if options.as_json or not sys.stdin.isatty():
        raise click.UsageError("Nothing was erased. Add --yes to do it, --dry-run to look.")
    if not there.jobs and not there.conversations:
        return True
    _say_plan(options, there)
    if click.confirm("Cancel and erase it?" if there.unfinished and cancel else "Erase it?"):
        return True
    output.say("Nothing was erased.")
    return False


def _say_plan(options: Options, there: Erasure) -> None:
    if options.as_json:
        output.say_json({"would_erase": to_json(there)})
        return
    if not there.jobs and not there.conversations:
        output.say("Nothing was found.")
        return
    output.say(f"Would be erased: {in_words(there.amount)}.")
    if there.linked:
        names = output.counted(len(there.linked), "tree")
        output.say(f"{names} of it only for being a copy, or for a conversation that is shared.")
    if there.unfinished:
        listed = "\n".join(f"  {options.to_type('job', each)}" for each in there.unfinished)
        output.say(f"This has not ended, and must before, or --cancel:\n{listed}")


def _say(options: Options, amount: Amount, space: Space | None) -> None:
    if options.as_json:
        output.say_json({"erased": to_json(amount), "space": to_json(space)})
        return
    if space is None or amount.jobs + amount.conversations == 0:
        output.say("Nothing was found.")
        return
    output.say(f"Erased {in_words(amount)}.")
    say_space(options, amount, space)
    if space.kept is not None:
        output.say(_UNTIL_THEN)
