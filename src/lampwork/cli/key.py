"""`lampwork key NAME`: an API key, made and revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from lampwork.cli import completing, output
from lampwork.cli.limits import length_of_time
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples
from lampwork.cli.reading import reading
from lampwork.errors import KeyNotFound
from lampwork.insights import Insights
from lampwork.people import accounts, keys
from lampwork.types import ROLES, Json
from lampwork.views import ApiKey, to_json

T = TypeVar("T")


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

    async def read(insights: Insights) -> ApiKey:
        return await keys.get(insights.store, which)

    found = asyncio.run(reading(options, read))
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
@click.option("--project", required=True, metavar="NAME", help="The one project it is for.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What it may do there.")
@click.option(
    "--expires", callback=length_of_time, metavar="TIME", help="After how long: 12h, 90d, 1y."
)
def new(which: str, project: str, role: str, expires: float | None, options: Options) -> int:
    """Make a key of that name, and show it, this once."""

    async def do(insights: Insights) -> tuple[str, ApiKey]:
        given = accounts.check_role(role)
        return await keys.make(insights.store, which, project=project, role=given, lasts=expires)

    text, key = asyncio.run(_at(options, do))
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

    async def do(insights: Insights) -> ApiKey:
        return await keys.revoke(insights.store, which)

    key = asyncio.run(_at(options, do))
    if options.as_json:
        output.say_json(to_json(key))
    else:
        output.say(f"Key {key.name} ({key.prefix}) is of no use any more.")
    return 0


async def _at(options: Options, act: Callable[[Insights], Awaitable[T]]) -> T:
    async with Insights.opened(options.settings.place) as insights:
        return await act(insights)
