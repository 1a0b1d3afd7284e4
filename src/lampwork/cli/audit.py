"""`lampwork audit`: who changed what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, filled, paged, shared
from lampwork.cli.reading import reading
from lampwork.insights import Insights
from lampwork.people import audit_log
from lampwork.views import Entry, to_json


@click.command("audit", epilog=examples("lampwork audit --project shop --limit 10"))
@click.option("--project", metavar="NAME", help="Only what was done in this project.")
@paged
@shared
def command(project: str | None, limit: int, after: str | None, options: Options) -> int:
    """List who changed what, when and from where, the newest first.

    On record is what people do on the command line, and what people and keys do at the server; not
    what code does by itself. `lampwork verify` tells whether somebody has tampered with it.
    """
    if after is not None and not after.isdecimal():
        raise click.BadParameter(f'"{after}" is no `next` of a page', param_hint="--after")
    before = None if after is None else int(after)

    async def read(insights: Insights) -> Sequence[Entry]:
        return await audit_log.newest(
            insights.store, project=project, before=before, limit=limit + 1
        )

    found = asyncio.run(reading(options, read)) or []
    shown = found[:limit]
    more = str(shown[-1].number) if len(found) > limit else None
    if options.as_json:
        output.say_json({"items": to_json(shown), "next": more})
        return 0
    if not shown:
        output.say(f"Nothing is on record in {options.settings.place}.")
        return 0
    columns = ("NO", "WHEN", "WHO", "FROM", "WHAT", "ON", "PROJECT", "DETAILS")
    output.table(columns, [_row(each) for each in shown])
    if more is not None:
        words = filled({"--project": project, "--limit": str(limit)}, more)
        output.say(f"\nThere is more: {options.to_type('audit', *words)}")
    return 0


def _row(entry: Entry) -> list[str]:
    details = ", ".join(f"{name}={value}" for name, value in entry.details.items())
    who = "(erased)" if entry.who is None else entry.who
    on = (entry.address or "", entry.action, entry.on or "", entry.project or "")
    return [str(entry.number), output.local(entry.at), who, *on, details]
