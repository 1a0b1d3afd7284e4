"""`lampwork trigger RECIPE`: the triggers of one recipe, and what can be done about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps

import click

from lampwork.cli import completing, output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples, of_project
from lampwork.cli.reading import from_project
from lampwork.cli.source import ProjectSource
from lampwork.cli.triggers import notes
from lampwork.cli.working import executor_lacking
from lampwork.views import Executor, TriggerDetails, to_json


@click.group(
    "trigger",
    cls=Noun,
    which="RECIPE",
    parameter="recipe",
    of=completing.recipe,
    epilog=examples("lampwork trigger report"),
)
def command() -> None:
    """Show the triggers of a recipe: when they come next, and what they could not start.

    A verb after the RECIPE does something about its trigger. All take --project, --json and --home.
    """


@command.verb("show", hidden=True)
@of_project
def show(recipe: str, project: str | None, options: Options) -> int:
    """Show the triggers of a recipe."""
    found = asyncio.run(from_project(options, project, lambda source: source.triggers_of(recipe)))
    if options.as_json:
        output.say_json({"items": to_json(found), "next": None})
    elif not found:
        output.say(f"Recipe {recipe} has no triggers.")
    for trigger in () if options.as_json else found:
        for line in _lines(trigger):
            output.say(line)
    return 0


@dataclass(frozen=True, slots=True)
class _Order:
    """What somebody wants of a trigger, as it was typed."""

    recipe: str
    trigger: str | None
    project: str | None
    by: str | None
    why: str
    options: Options


def _ordering(name: str, *lines: str) -> Callable[[Callable[[_Order], int]], click.Command]:
    """A verb that orders something of a trigger; `lines` are its examples."""

    def define(fn: Callable[[_Order], int]) -> click.Command:
        @wraps(fn)
        def ordered(
            recipe: str,
            by: str | None,
            options: Options,
            why: str = "",
            **which: str | None,
        ) -> int:
            return fn(_Order(recipe, by=by, why=why, options=options, **which))

        named = click.option(
            "--trigger",
            metavar="TRIGGER",
            type=completing.trigger,
            help="Which, if the recipe has several; `lampwork triggers` lists their names.",
        )
        by = click.option("--by", metavar="NAME", help="Who does it, for the record; you.")
        verb = command.verb(name, epilog=examples(*lines))
        return verb(named(of_project(by(ordered))))

    return define


_why = click.option("--why", metavar="TEXT", default="", help="Why, for the record.")


@_ordering("fire", "lampwork trigger report fire")
def fire(order: _Order) -> int:
    """Let it fire now, paused or not: a cron starts a job, a poll looks for new items."""

    async def do(source: ProjectSource) -> None:
        await source.fire_trigger(order.recipe, trigger=order.trigger)

    return _do(order, do, "It is to fire now.")


@_ordering("pause", "lampwork trigger report pause --trigger cron-5f2e --why holidays")
@_why
def pause(order: _Order) -> int:
    """Let it fire no more, until it is started again."""

    async def do(source: ProjectSource) -> None:
        await source.pause_trigger(order.recipe, trigger=order.trigger, why=order.why)

    return _do(order, do, "It is paused.")


@_ordering("start", "lampwork trigger report start")
@_why
def start(order: _Order) -> int:
    """Let it fire again; a cron catches up on the pause as its definition says."""

    async def do(source: ProjectSource) -> None:
        await source.start_trigger(order.recipe, trigger=order.trigger, why=order.why)

    return _do(order, do, "It fires again.")


def _do(order: _Order, act: Callable[[ProjectSource], Awaitable[None]], done: str) -> int:
    options = order.options

    async def do(source: ProjectSource) -> tuple[str, Sequence[TriggerDetails], Executor | None]:
        await act(source)
        name = await source.project()
        return name, await source.triggers_of(order.recipe), await source.executing(name)

    name, found, executor = asyncio.run(
        from_project(options, order.project, do, by=order.by, writes=True)
    )
    # Whoever acted has found it under that name.
    [trigger] = [each for each in found if order.trigger in (None, each.name, each.trigger)]
    if options.as_json:
        output.say_json(to_json(trigger))
        return 0
    output.say(f"{trigger.name} of {order.recipe}: {done}")
    named = [] if order.project is None else [order.project]
    lacking = executor_lacking(executor, name, options.worker_to_type(*named))
    if lacking is not None:
        output.say(lacking)
    return 0


def _lines(trigger: TriggerDetails) -> Iterator[str]:
    yield f"{trigger.name} of {trigger.recipe}"
    yield f"  definition  {trigger.trigger}"
    given = trigger.definition
    if trigger.kind == "cron":
        yield f"  catch up    {given['catch_up']}"
    elif trigger.kind == "poll":
        yield f"  every       {output.duration(given['every'])}"
    elif trigger.kind == "endpoint":
        yield f"  waits       {output.duration(given['wait'])} for its job"
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
    if trigger.firings:
        yield "\n  What came"
        for each in trigger.firings:
            became = f"job {each.job}" if each.why is None else output.cut(each.why, 200)
            where = each.address or "this machine"
            yield f"    {output.local(each.at)}  {where}  {each.delivery or '-'}  {became}"
    if trigger.rejections:
        yield "\n  Rejected"
        for item in trigger.rejections:
            yield f"    {output.local(item.at)}  {item.key}  {output.cut(item.why, 200)}"
