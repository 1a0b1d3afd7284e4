"""`lampwork erase`: what there is of a person is erased, and tombstones of the work stay."""

from __future__ import annotations

import click

from lampwork.cli import output
from lampwork.cli.deletion import Deletion, Doomed, asked_first
from lampwork.cli.metadata import texts_of
from lampwork.cli.options import Options, examples, shared
from lampwork.insights import Insights
from lampwork.jobs_door import JobsDoor
from lampwork.upkeep.erasing import Erasure
from lampwork.upkeep.pruning import Amount
from lampwork.views import to_json

_UNTIL_THEN = (
    "Until then the bytes of what was erased are still in the free parts of the files, "
    "and in their backups."
)

_NOTHING = Erasure(amount=Amount(), unfinished=(), jobs=(), linked=(), conversations=())


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
@asked_first
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

    async def look(insights: Insights) -> Doomed:
        there = await JobsDoor(insights.store).plan_erasure(user=user, metadata=metadata)
        return _doomed(options, there, cancel=cancel)

    async def carry_out(insights: Insights) -> Amount:
        return await JobsDoor(insights.store).erase(user=user, metadata=metadata, cancel=cancel)

    return Deletion(
        options=options,
        verb="erase",
        dry_run=dry_run,
        yes=yes,
        look=look,
        carry_out=carry_out,
        remains=_UNTIL_THEN,
    ).perform(nothing=_doomed(options, _NOTHING, cancel=cancel))


def _doomed(options: Options, there: Erasure, *, cancel: bool) -> Doomed:
    notes: list[str] = []
    if there.linked:
        trees = output.counted(len(there.linked), "tree")
        notes.append(f"{trees} of it only for being a copy, or for a conversation that is shared.")
    if there.unfinished:
        listed = "\n".join(f"  {options.to_type('job', each)}" for each in there.unfinished)
        notes.append(f"This has not ended, and must before, or --cancel:\n{listed}")
    question = "Cancel and erase it?" if there.unfinished and cancel else ""
    return Doomed(there.amount, to_json(there), notes, question)
