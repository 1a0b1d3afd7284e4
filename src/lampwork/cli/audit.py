"""`lampwork audit`: who changed what."""

from __future__ import annotations

import asyncio

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, filled, paged, shared
from lampwork.cli.who import Who, looking
from lampwork.views import Entry, Page, to_json


@click.command("audit", epilog=examples("lampwork audit --project shop --limit 10"))
@click.option(
    "--project", metavar="NAME", help="Only what was done in this project; a server has its own."
)
@paged
@shared
def command(project: str | None, limit: int, after: str | None, options: Options) -> int:
    """List who changed what, when and from where, the newest first.

    On record is what people do on the command line, and what people and keys do at the server; not
    what code does by itself. `lampwork verify` tells whether somebody has tampered with it.
    """

    async def look(who: Who) -> Page[Entry]:
        return await who.changes(project=project, after=after, limit=limit)

    found = asyncio.run(looking(options, look)) or Page[Entry]((), None)
    if options.as_json:
        output.say_json(to_json(found))
    elif not found.items:
        output.say(f"Nothing is on record in {options.where}.")
    else:
        columns = ("NO", "WHEN", "WHO", "FROM", "WHAT", "ON", "PROJECT", "DETAILS")
        output.table(columns, [_row(each) for each in found.items])
    if found.next is not None and not options.as_json:
        words = filled({"--project": project, "--limit": str(limit)}, found.next)
        output.say(f"\nThere is more: {options.to_type('audit', *words)}")
    return 0


def _row(entry: Entry) -> list[str]:
    details = ", ".join(f"{name}={value}" for name, value in entry.details.items())
    who = "(erased)" if entry.who is None else entry.who
    on = (entry.address or "", entry.action, entry.on or "", entry.project or "")
    return [str(entry.number), output.local(entry.at), who, *on, details]
