"""`lampwork trigger RECIPE`: the triggers of one recipe, and what can be done about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import click

from lampwork.cli import output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, me
from lampwork.cli.reading import reading
from lampwork.cli.triggers import notes
from lampwork.cli.working import executor_lacking
from lampwork.door import JobsDoor
from lampwork.errors import TriggerNotFound
from lampwork.insights import Executor, Insights, Page, TriggerDetails, to_json


@click.group("trigger", cls=Noun, which="RECIPE", parameter="recipe")
def command() -> None:
    """Show the triggers of a recipe: when they come next, and what they could not start.

    A verb after the recipe does something about its trigger. All take --json and --home.
    """


_of_project = click.option("--project", metavar="NAME", help="If several have such a recipe.")
_trigger = click.option("--trigger", metavar="TRIGGER", help="If the recipe has several.")
_by = click.option("--by", metavar="NAME", help="Who does it, for the record; you.")
_why = click.option("--why", metavar="TEXT", default="", help="Why, for the record.")


@command.verb("show", hidden=True)
@_of_project
def show(recipe: str, project: str | None, home: Path | None, as_json: bool) -> int:
    """Show the triggers of a recipe."""
    options = Options(home, as_json)
    found = asyncio.run(reading(options, lambda insights: insights.triggers_of(recipe, project)))
    if found is None:
        raise _nothing(recipe, options)
    if as_json:
        output.say_json(to_json(found))
    else:
        for trigger in found.items:
            for line in _lines(trigger):
                output.say(line)
    return 0


@command.verb("fire")
@_trigger
@_of_project
@_by
def fire(recipe: str, by: str | None, home: Path | None, as_json: bool, **which: Any) -> int:
    """Let it fire now, paused or not: a cron starts a job, a poll looks for new items."""

    async def do(door: JobsDoor) -> None:
        await door.ask_to_fire(recipe, **which, by=by or me())

    return _do(Options(home, as_json), recipe, which, do, "It is to fire now.")


@command.verb("pause")
@_trigger
@_of_project
@_by
@_why
def pause(
    recipe: str, by: str | None, why: str, home: Path | None, as_json: bool, **which: Any
) -> int:
    """Let it fire no more, until it is started again."""

    async def do(door: JobsDoor) -> None:
        await door.pause_trigger(recipe, **which, by=by or me(), why=why)

    return _do(Options(home, as_json), recipe, which, do, "It is paused.")


@command.verb("start")
@_trigger
@_of_project
@_by
@_why
def start(
    recipe: str, by: str | None, why: str, home: Path | None, as_json: bool, **which: Any
) -> int:
    """Let it fire again; a cron catches up on the pause as its definition says."""

    async def do(door: JobsDoor) -> None:
        await door.start_trigger(recipe, **which, by=by or me(), why=why)

    return _do(Options(home, as_json), recipe, which, do, "It fires again.")


def _do(
    options: Options,
    recipe: str,
    which: dict[str, str | None],
    act: Callable[[JobsDoor], Awaitable[None]],
    done: str,
) -> int:
    async def do(insights: Insights) -> tuple[Page[TriggerDetails], Executor | None]:
        await act(JobsDoor(insights.store))
        found = await insights.triggers_of(recipe, which["project"])
        return found, await insights.executing()

    answered = asyncio.run(reading(options, do))
    if answered is None:
        raise _nothing(recipe, options)
    found, executor = answered
    [trigger] = [each for each in found.items if which["trigger"] in (None, each.trigger)]
    if options.as_json:
        output.say_json(to_json(trigger))
        return 0
    output.say(f"{trigger.trigger} of {recipe}: {done}")
    lacking = executor_lacking(executor, trigger.project, options.to_type("worker"))
    if lacking is not None:
        output.say(lacking)
    return 0


def _nothing(recipe: str, options: Options) -> TriggerNotFound:
    return TriggerNotFound(
        f"There is no trigger of {recipe}: nothing is in {options.settings.home}.", known=[]
    )


def _lines(trigger: TriggerDetails) -> Iterator[str]:
    yield f"{trigger.trigger} of {trigger.recipe}"
    given = trigger.definition
    if trigger.kind == "cron":
        yield f"  catch up    {given['catch_up']}"
    else:
        yield f"  every       {output.duration(given['every'])}"
    times = (("next", trigger.next_at), ("last fired", trigger.fired_at))
    yield from (f"  {name:10}  {output.local(at)}" for name, at in times if at is not None)
    if trigger.job is not None:
        yield f"  last job    {trigger.job}"
    if trigger.kind == "poll" and trigger.cursor is not None:
        yield f"  cursor      {output.inline(trigger.cursor)}"
    yield from (f"  note        {note}" for note in notes(trigger))
    if trigger.started is not None:
        why = f": {trigger.started.why}" if trigger.started.why else ""
        yield f"  started by  {trigger.started.by}{why}"
    if trigger.rejections:
        yield "\n  Rejected"
        for item in trigger.rejections:
            yield f"    {output.local(item.at)}  {item.key}  {output.cut(item.why, 200)}"
