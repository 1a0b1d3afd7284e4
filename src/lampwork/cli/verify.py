"""`lampwork verify`: whether somebody has tampered with the audit log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import reading
from lampwork.insights import Insights
from lampwork.people import audit_log
from lampwork.people.audit_log import EMPTY, Verified, read_anchor, write_anchor
from lampwork.views import to_json


@click.command(
    "verify", epilog=examples("lampwork verify", "lampwork verify --anchor /mnt/audit/anchor.json")
)
@click.option(
    "--anchor",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Compare the log with what this file says of it, then write how far it goes now.",
)
@shared
def command(anchor: Path | None, options: Options) -> int:
    """Look whether an entry of the audit log was edited, deleted, moved or cut off; 1 if so.

    Whoever can write the database can write all of the log anew, so that it fits together. Against
    that there is an anchor: a file, kept where they can't write, that says how far the log went.
    """
    before = None if anchor is None else read_anchor(anchor)

    async def read(insights: Insights) -> Verified:
        return await audit_log.verify(insights.store, before)

    done = asyncio.run(reading(options, read)) or audit_log.without_log(before)
    if anchor is not None and done.broken is None:
        write_anchor(anchor, done.head)
    if options.as_json:
        output.say_json(to_json(done))
    elif done.broken is not None:
        output.say(f"The audit log is broken at entry {done.broken.number}: {done.broken.how}.")
    else:
        output.say(_whole(done))
        if anchor is not None:
            compared = "is new" if before is None else f"agrees up to entry {before.seq}"
            output.say(f"The anchor {anchor} {compared}, and goes to entry {done.head.seq} now.")
    return 0 if done.broken is None else 1


def _whole(done: Verified) -> str:
    if done.head == EMPTY:
        return "The audit log is empty."
    count = output.counted(done.entries, "entry").replace("entrys", "entries")
    erased = f", the text of {done.erased} erased" if done.erased else ""
    return f"The audit log is whole: {count}{erased}, to digest {done.head.digest[:16]}."
