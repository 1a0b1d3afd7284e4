"""`lampwork genie NAME`: one genie, paused and started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import click

from lampwork.cli import completing, output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples, of_project
from lampwork.cli.reading import from_project
from lampwork.cli.source import ProjectSource
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
    genie = asyncio.run(from_project(options, project, lambda source: source.genie(name)))
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

    async def do(source: ProjectSource) -> None:
        await source.pause_genie(name, why=why)

    def done(before: GenieView, now: GenieView) -> str:
        if before.paused is None or now.paused is None:
            return f"Paused {name}."
        earlier, by = (_by(each.by, each.why) for each in (before.paused, now.paused))
        return f"{name} is paused already by {earlier}; now by {by}."

    return _do(options, project, name, do, done)


@command.verb("start", epilog=examples("lampwork genie finance start"))
@of_project
def start(name: str, project: str | None, options: Options) -> int:
    """Let it take tasks again; those that wait for it go on."""

    async def do(source: ProjectSource) -> None:
        await source.start_genie(name)

    def done(before: GenieView, now: GenieView) -> str:
        return f"{name} is active already." if before.paused is None else f"Started {name}."

    return _do(options, project, name, do, done)


def _do(
    options: Options,
    project: str | None,
    name: str,
    act: Callable[[ProjectSource], Awaitable[None]],
    done: Callable[[GenieView, GenieView], str],
) -> int:
    async def do(source: ProjectSource) -> tuple[GenieView, GenieView]:
        before = await source.genie(name)
        await act(source)
        return before, await source.genie(name)

    before, shown = asyncio.run(from_project(options, project, do, writes=True))
    if options.as_json:
        output.say_json(to_json(shown))
    else:
        output.say(done(before, shown))
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
    if genie.agents:
        yield f"  agents    {', '.join(genie.agents)}"
    skills = () if genie.agents else genie.skills  # an orchestrator's are the same of all
    if skills:
        yield "\nSkills"
    for skill in skills:
        kind = f"recipe {skill.recipe}" if skill.recipe else skill.effect
        yield f"  {skill.name}  {kind}  {output.cut(skill.doc, 80)}".rstrip()
        if skill.metadata:
            yield f"    metadata {', '.join(skill.metadata)}"
    if genie.job_description:
        yield f"\nJob description\n{output.indented(genie.job_description)}"
