"""`lampwork key NAME`: an API key, made and revoked."""

from __future__ import annotations

import asyncio

import click

from lampwork.cli import completing, output
from lampwork.cli.limits import length_of_time
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples
from lampwork.cli.who import changing, looking
from lampwork.errors import KeyNotFound
from lampwork.people import accounts
from lampwork.types import ROLES, Json
from lampwork.views import to_json


@click.group(
    "key",
    cls=Noun,
    which="NAME",
    parameter="which",
    of=completing.key,
    epilog=examples("lampwork key ci"),
)
def command() -> None:
    """Show an API key, by its name or its prefix.

    A verb after the NAME does something about it. All take --json and --home. What is secret of a
    key is shown when it is made, and never again.
    """


@command.verb("show", hidden=True)
def show(which: str, options: Options) -> int:
    """Show a key."""
    found = asyncio.run(looking(options, lambda who: who.key(which)))
    if found is None:
        raise KeyNotFound(f"There is no key {which}: there are none.")
    if options.as_json:
        output.say_json(to_json(found))
        return 0
    output.say(f"Key {found.name} ({found.prefix}): {found.status}")
    output.say(f"  may      {found.role} in project {found.project}")
    output.say(f"  made by  {found.created_by}, {output.local(found.created_at)}")
    times = (("expires", found.expires_at), ("used", found.used_at), ("revoked", found.revoked_at))
    for name, at in times:
        output.say(f"  {name:7}  {'never' if at is None else output.local(at)}")
    return 0


@command.verb(
    "new",
    epilog=examples(
        "lampwork key ci new --project shop --role builder --expires 90d",
    ),
)
@click.option(
    "--project",
    metavar="NAME",
    help="The one project it is for, or its code; a server has its own.",
)
@click.option("--role", required=True, type=click.Choice(ROLES), help="What it may do there.")
@click.option(
    "--expires", callback=length_of_time, metavar="TIME", help="After how long: 12h, 90d, 1y."
)
def new(which: str, project: str | None, role: str, expires: float | None, options: Options) -> int:
    """Make a key of that name, and show it, this once."""
    given = accounts.check_role(role)
    text, key = asyncio.run(
        changing(
            options, lambda who: who.make_key(which, project=project, role=given, lasts=expires)
        )
    )
    if options.as_json:
        shown: Json = to_json(key)
        output.say_json({"key": text} | shown)
        return 0
    output.say(text)
    output.warn("This is all of the key, and is shown this once: keep it where secrets are kept.")
    return 0


@command.verb("revoke", epilog=examples("lampwork key ci revoke"))
def revoke(which: str, options: Options) -> int:
    """Let it be used no more."""
    key = asyncio.run(changing(options, lambda who: who.revoke_key(which)))
    if options.as_json:
        output.say_json(to_json(key))
    else:
        output.say(f"Key {key.name} ({key.prefix}) is of no use any more.")
    return 0
