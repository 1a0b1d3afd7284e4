"""`lampwork upgrade-check`: which unfinished jobs would not go on with the code as it is now.

The code runs in a child process, on a copy of the databases.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lampwork.cli import lifeline, output, rehearsing
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load
from lampwork.cli.reading import home_to_read
from lampwork.cli.rehearsing import Found
from lampwork.errors import LampworkError
from lampwork.versioning.upgrade import PATIENCE, copy_databases

_PROVES = (
    "This proves what is on record of each job; what its code does after that was not rehearsed."
)


@click.command(
    "upgrade-check",
    epilog=examples("lampwork upgrade-check", "lampwork upgrade-check project.py --timeout 20"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=PATIENCE,
    metavar="SECONDS",
    help="For the recipe of one job.",
)
@click.option("--rehearse-after", type=int, hidden=True, help="In the child: jobs that are done.")
@click.option("--lifeline", "line", type=int, hidden=True, help="In the child: its lifeline.")
@shared
def command(
    project: str | None,
    timeout: float,
    rehearse_after: int | None,
    line: int | None,
    options: Options,
) -> int:
    """Find the unfinished jobs that would not go on with the project's code as it is now.

    Each one's recipe is led through what is on record, on a copy of the state, in a process of its
    own; no step, skill or model is called. A worker may go on meanwhile. Exits with 1 if a job
    would not go on.
    """
    if rehearse_after is not None and line is not None:
        lifeline.hold(line)
        return asyncio.run(_rehearse(project, options, timeout, rehearse_after))
    found = asyncio.run(_check(project, options, timeout))
    if options.as_json:
        output.say_json(_as_json(found))
    else:
        for each in _lines(found):
            output.say(each)
    return 1 if found.stopped else 0


# --- in the child ---


async def _rehearse(project: str | None, options: Options, patience: float, after: int) -> int:
    try:
        loaded = load(project)
        rehearsing.tell({"loaded": {"project": loaded.name, "version": loaded.version}})
        place = options.settings.place
        await rehearsing.rehearse(loaded, place, after=after, patience=patience)
    except LampworkError as error:
        rehearsing.tell({"error": error.to_record()})
    return 0


# --- in the parent ---


async def _check(project: str | None, options: Options, patience: float) -> Found:
    found = Found()
    words = ["upgrade-check", *([project] if project else []), "--timeout", f"{patience}"]
    if (db := options.settings.db) is not None:
        await rehearsing.rehearse_in_children(words, found, patience, {"LAMPWORK_DB": db})
        return found
    home = home_to_read(options)
    with tempfile.TemporaryDirectory(prefix="lampwork-upgrade-check-") as folder:
        await asyncio.to_thread(copy_databases, home, Path(folder))
        await rehearsing.rehearse_in_children([*words, "--home", folder], found, patience)
    return found


# --- what is shown ---


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "project": found.loaded["project"],
        "version": found.loaded["version"],
        "unfinished": len(found.jobs),
        "items": [asdict(each) for each in found.jobs if not each.goes_on or each.notes],
        "next": None,
        "proves": _PROVES,
    }


def _lines(found: Found) -> Iterator[str]:
    count = output.counted(len(found.jobs), "unfinished job")
    project = found.loaded["project"]
    if not found.jobs:
        yield f"{project} has no unfinished jobs."
        return
    if not found.stopped:
        yield f"{project} has {count}. All go on with the code as it is now."
    else:
        yield f"{project} has {count}. With the code as it is now these would not go on:"
    for each in found.stopped:
        place = "" if each.call is None else f" at call {each.call}"
        yield f"\n{each.job_id}  {each.recipe}  {each.status}{place}"
        yield f"  {each.why}"
    for each in found.jobs:
        yield from (f"\nNote: job {each.job_id}: {note}" for note in each.notes)
    yield f"\n{_PROVES}"
