"""`lampwork keys`: the API keys of programs."""

from __future__ import annotations

import asyncio

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.who import looking
from lampwork.views import ApiKey, to_json


@click.command("keys", epilog=examples("lampwork keys", "lampwork keys --project shop"))
@click.option("--project", metavar="NAME", help="Only those of this project.")
@shared
def command(project: str | None, options: Options) -> int:
    """List the API keys with which programs use the server."""
    found = asyncio.run(looking(options, lambda who: who.keys(project=project))) or []
    if options.as_json:
        output.say_json({"items": to_json(found), "next": None})
    elif not found:
        words = ("key", "ci", "new", "--project", project or "NAME", "--role", "builder")
        output.say(f"There are no keys. Make one: {options.to_type(*words)}")
    else:
        columns = ("PREFIX", "NAME", "PROJECT", "ROLE", "STATUS", "LAST USED", "EXPIRES")
        output.table(columns, [_row(each) for each in found])
    return 0


def _row(key: ApiKey) -> list[str]:
    used = "never" if key.used_at is None else output.away(key.used_at)
    expires = "never" if key.expires_at is None else output.away(key.expires_at)
    return [key.prefix, key.name, key.project, key.role, key.status, used, expires]
