"""`lampwork restored`: what is not known after a restore, and when it is."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, me, shared
from lampwork.cli.reading import place_to_read, reading
from lampwork.insights import Insights
from lampwork.insights.jobs import restoration_view
from lampwork.views import to_json

if TYPE_CHECKING:
    from lampwork.upkeep.restore import Restored


def _moment(_context: Any, _parameter: Any, given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        return datetime.fromisoformat(given).astimezone()
    except ValueError as error:
        raise click.BadParameter(
            f'"{given}" is no moment in ISO 8601, such as 2026-11-20T03:00:00Z', param_hint="--at"
        ) from error


@click.command(
    "restored",
    epilog=examples(
        "lampwork restored",
        "lampwork restored --at 2026-11-20T03:00:00Z",
        "lampwork restored --close",
    ),
)
@click.option(
    "--at",
    callback=_moment,
    metavar="TIME",
    help="Mark a database that was restored by other means: the moment of its backup, ISO 8601.",
)
@click.option("--close", is_flag=True, help="Say that all that was done after the backup is known.")
@shared
def command(at: datetime | None, close: bool, options: Options) -> int:
    """Show what may have been done after the backup that was restored last, or say what it was.

    `restore` marks what it restores. Mark what you have copied back by yourself, before a worker
    starts: --at. When you have made sure of what was done, let all jobs go on as usual: --close.
    """
    from lampwork.upkeep import restore

    if at is not None and close:
        raise click.UsageError("Either --at or --close.")
    if at is not None:
        return say(options, restore.mark(place_to_read(options), backup_at=at.timestamp(), by=me()))
    if close:
        count = restore.close(place_to_read(options))
        if options.as_json:
            output.say_json({"jobs": count})
        else:
            output.say(f"All is known. {output.counted(count, 'job')} had been marked.")
        return 0
    return asyncio.run(_show(options))


def say(options: Options, done: Restored) -> int:
    """Say what a restore has come to."""
    if options.as_json:
        record = to_json(restoration_view(done.restoration)) | {"jobs": done.jobs}
        replaced = None if done.replaced is None else str(done.replaced)
        output.say_json(record | {"replaced": replaced})
        return 0
    output.say(f"Restored as of {output.local(restoration_view(done.restoration).backup_at)}.")
    output.say(
        f"{output.counted(done.jobs, 'tree')} of jobs had not ended. What they do now may have "
        "been done after that: effects have the same keys, and of those that may happen at most "
        "once their reconcilers are asked, then a person."
    )
    output.say(f"Look: {options.to_type('jobs', '--restored')}")
    output.say(f"When all is known: {options.to_type('restored', '--close')}")
    return 0


async def _show(options: Options) -> int:
    async def read(insights: Insights) -> tuple[Any, int]:
        marked = await insights.jobs(restored=True, roots=True, limit=1000)
        return await insights.restoration(), sum(job.ended_at is None for job in marked.items)

    view, count = await reading(options, read) or (None, 0)
    if options.as_json:
        output.say_json({"restored": None if view is None else to_json(view), "jobs": count})
        return 0
    if view is None:
        output.say("Nothing was restored, or all that was done after the backup is known.")
        return 0
    output.say(
        f"Restored on {output.local(view.restored_at)} by {view.by} from a backup of "
        f"{output.local(view.backup_at)}."
    )
    output.say(f"{output.counted(count, 'tree')} of jobs may do what was done after it.")
    output.say(f"Look: {options.to_type('jobs', '--restored')}")
    output.say(f"When all is known: {options.to_type('restored', '--close')}")
    return 0
