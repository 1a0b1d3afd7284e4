"""What a shell completes: names of the project in hand, ids of the folder in hand.

The values below stand in commands as types of their arguments; they take whatever is typed, and
know what there is when a shell asks.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, shell_complete

from lampwork.cli.options import Options
from lampwork.errors import LampworkError

if TYPE_CHECKING:
    from lampwork.insights import Insights
    from lampwork.project import Project

__all__ = ["Words", "complete", "conversation_id", "event", "genie", "job_id", "recipe", "wait"]

_PATIENCE = 10.0
"""Seconds after which a project's import is given up: whoever pressed the key is waiting."""

_NEWEST = 50
"""Jobs or conversations that are offered."""

Offer = tuple[str, str]
"""What can be typed, and what it is."""


def complete(cli: click.Command, variable: str) -> None:
    """Say what a shell asks for; nothing, if anything goes wrong or takes long."""
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(Exception):
        shell_complete(cli, {}, "lampwork", variable, os.environ[variable])
        sys.stdout.flush()
    os._exit(0)  # at the interpreter's end a signal would find no handler, and the shell tell of it


def _give_up(_number: int, _frame: object) -> None:
    os._exit(0)


class Words(click.ParamType[str]):
    """A text of which some values are known."""

    name = "text"

    def __init__(self, known: Callable[[click.Context], Iterable[Offer]]) -> None:
        self._known = known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        known: list[CompletionItem] = []
        with suppress(LampworkError):  # no project here, or one that can't be imported
            known = [
                CompletionItem(word, help=help or None)
                for word, help in self._known(ctx)
                if word.startswith(incomplete)
            ]
        return known or [CompletionItem(incomplete, type="file")] * _takes_project(ctx, param)


def _takes_project(ctx: click.Context, param: click.Parameter) -> bool:
    """Whether a file could stand there."""
    return param.name in ("project", "words") and not ctx.params.get(param.name or "")


# --- names of the project ---


def _project(ctx: click.Context) -> Project:
    from lampwork.cli.project import load, names_project

    first, *_ = [*_words(ctx), None]
    word = ctx.params.get("project") or first
    return load(word if word is not None and names_project(word) else None)


def _words(ctx: click.Context) -> Sequence[str]:
    """The arguments so far: click leaves them unread where the value of an option is to come."""
    return ctx.params.get("words") or ctx.args


def _line(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())[:60]


def _recipes(ctx: click.Context) -> Iterable[Offer]:
    for name, recipe in _project(ctx).recipes.items():
        yield name, _line(recipe.fn.__doc__)


def _genies(ctx: click.Context) -> Iterable[Offer]:
    for name, genie in _project(ctx).genies.items():
        yield name, _line(genie.job_description)


def _metadata(ctx: click.Context) -> Iterable[Offer]:
    project = _project(ctx)
    for name in _words(ctx):
        if name in project.genies:
            yield from ((f"{key}=", "") for key in project.genies[name].metadata)


def _triggers(ctx: click.Context) -> Iterable[Offer]:
    for trigger in _project(ctx).find_recipe(_words(ctx)[0]).triggers:
        yield trigger.short_name, trigger.identity


# --- ids of the folder ---


def _read(
    ctx: click.Context, read: Callable[[Insights], Awaitable[Iterable[Offer]]]
) -> Iterable[Offer]:
    from lampwork.cli.reading import reading

    given = {**ctx.find_root().params, **{k: v for k, v in ctx.params.items() if v is not None}}
    options = Options(given.get("home"), given.get("db"), server=given.get("server"))
    if options.at_server is not None:
        return ()  # whoever pressed the key does not wait for the network
    return asyncio.run(reading(options, read)) or ()


def _jobs(ctx: click.Context) -> Iterable[Offer]:
    async def read(insights: Insights) -> Iterable[Offer]:
        page = await insights.jobs(roots=True, limit=_NEWEST)
        return [(each.job_id, f"{each.title}, {each.status}") for each in page.items]

    return _read(ctx, read)


def _conversations(ctx: click.Context) -> Iterable[Offer]:
    async def read(insights: Insights) -> Iterable[Offer]:
        page = await insights.conversations(limit=_NEWEST)
        return [
            (each.conversation_id, f"{', '.join(each.genies)}, {each.status}")
            for each in page.items
        ]

    return _read(ctx, read)


def _waits(ctx: click.Context, kind: str, name: Callable[[Any], str]) -> Iterable[Offer]:
    async def read(insights: Insights) -> Iterable[Offer]:
        waits = (await insights.view(ctx.params["job_id"])).waiting_on
        return [(name(each), each.what) for each in waits if each.kind == kind]

    return _read(ctx, read)


def _accounts(ctx: click.Context) -> Iterable[Offer]:
    from lampwork.people import accounts

    async def read(insights: Insights) -> Iterable[Offer]:
        return [(each.email, each.status) for each in await accounts.list_all(insights.store)]

    return _read(ctx, read)


def _keys(ctx: click.Context) -> Iterable[Offer]:
    from lampwork.people import keys

    async def read(insights: Insights) -> Iterable[Offer]:
        found = await keys.list_all(insights.store)
        return [(key.name, key.prefix) for key in found if key.status == "active"]

    return _read(ctx, read)


def _artifacts(ctx: click.Context) -> Iterable[Offer]:
    async def read(insights: Insights) -> Iterable[Offer]:
        found = await insights.conversation(ctx.params["conversation_id"])
        return [(file.name, file.media_type) for file in found.artifacts]

    return _read(ctx, read)


account = Words(_accounts)
artifact = Words(_artifacts)
key = Words(_keys)
recipe = Words(_recipes)
genie = Words(_genies)
metadata = Words(_metadata)
trigger = Words(_triggers)
job_id = Words(_jobs)
conversation_id = Words(_conversations)
event = Words(lambda ctx: _waits(ctx, "event", lambda each: each.subject["name"]))
wait = Words(lambda ctx: _waits(ctx, "resolution", lambda each: each.wait_id))
confirmation = Words(lambda ctx: _waits(ctx, "confirmation", lambda each: each.wait_id))
