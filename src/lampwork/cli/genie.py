"""`lampwork genie NAME`: one genie, paused and started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import click

from lampwork.cli import completing, output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples, me, of_project
from lampwork.cli.project import load
from lampwork.cli.reading import views_of
from lampwork.door import Door
from lampwork.insights import Insights
from lampwork.views import GenieView, to_json


@click.group(
    "genie",
    cls=Noun,
    which="NAME",
    parameter="name",
    of=completing.genie,
    epilog=examples("lampwork genie finance"),
)
def command() -> None:
    """Show a genie: its model, its skills, whether it takes tasks.

    A verb after the NAME does something about it. All take --project, --json and --home.
    """


@command.verb("show", hidden=True)
@of_project
def show(name: str, project: str | None, options: Options) -> int:
    """Show a genie."""
    loaded = load(project)
    [genie] = asyncio.run(views_of(options, [loaded.find_genie(name)]))
    if options.as_json:
        output.say_json(to_json(genie))
    else:
        for line in _lines(genie):
            output.say(line)
    return 0


@command.verb("pause", epilog=examples("lampwork genie finance pause --why audit"))
@click.option("--why", default="", metavar="TEXT", help="For the record, and for who assigns.")
@of_project
def pause(name: str, why: str, project: str | None, options: Options) -> int:
    """Let it take no new tasks; those that it works on go on."""

    async def do(door: Door) -> None:
        await door.pause_genie(name, by=me(), why=why)

    def done(before: GenieView) -> str:
        if before.paused is None:
            return f"Paused {name}."
        earlier = _by(before.paused.by, before.paused.why)
        return f"{name} is paused already by {earlier}; now by {_by(me(), why)}."

    return _do(options, project, name, do, done)


@command.verb("start", epilog=examples("lampwork genie finance start"))
@of_project
def start(name: str, project: str | None, options: Options) -> int:
    """Let it take tasks again; those that wait for it go on."""

    async def do(door: Door) -> None:
        await door.start_genie(name, by=me())

    def done(before: GenieView) -> str:
        return f"{name} is active already." if before.paused is None else f"Started {name}."

    return _do(options, project, name, do, done)


def _do(
    options: Options,
    project: str | None,
    name: str,
    act: Callable[[Door], Awaitable[None]],
    done: Callable[[GenieView], str],
) -> int:
    loaded = load(project)
    genie = loaded.find_genie(name)

    async def do() -> tuple[GenieView, GenieView]:
        async with Insights.opened(options.settings.place) as insights:
            [before] = await insights.genies([genie], options.settings.model)
            await act(Door(loaded, insights.store))
            [shown] = await insights.genies([genie], options.settings.model)
            return before, shown

    before, shown = asyncio.run(do())
    if options.as_json:
        output.say_json(to_json(shown))
    else:
        output.say(done(before))
    return 0


def _by(who: str, why: str) -> str:
    return f"{who} ({why})" if why else who


def _lines(genie: GenieView) -> Iterator[str]:
    yield f"Genie {genie.genie} of {genie.project}: {genie.status}"
    if genie.paused is not None:
        why = f": {genie.paused.why}" if genie.paused.why else ""
        yield f"  paused by {genie.paused.by}, {output.local(genie.paused.at)}{why}"
    yield f"  model     {genie.model}"
    if genie.obstacles:
        yield "  takes no background tasks"
        yield from (f"    {each}" for each in genie.obstacles)
    if genie.skills:
        yield "\nSkills"
    for skill in genie.skills:
        kind = f"recipe {skill.recipe}" if skill.recipe else skill.effect
        yield f"  {skill.name}  {kind}  {output.cut(skill.doc, 80)}".rstrip()
        if skill.metadata:
            yield f"    metadata {', '.join(skill.metadata)}"
    if genie.job_description:
        yield f"\nJob description\n{output.indented(genie.job_description)}"
