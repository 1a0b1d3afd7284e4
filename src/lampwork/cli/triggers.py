"""`lampwork triggers`: what starts jobs by itself, and when it does next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import from_project
from lampwork.cli.source import ProjectSource
from lampwork.cli.working import executor_lacking
from lampwork.views import Executor, TriggerView, to_json


@click.command(
    "triggers",
    epilog=examples("lampwork triggers"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@shared
def command(project: str | None, options: Options) -> int:
    """List what starts jobs of a project by itself, and when it does next."""

    async def read(source: ProjectSource) -> tuple[str, Sequence[TriggerView], Executor | None]:
        name = await source.project()
        return name, await source.triggers(), await source.executing(name)

    name, found, executor = asyncio.run(from_project(options, project, read))
    if options.as_json:
        output.say_json({"items": to_json(found), "next": None})
    elif not found:
        output.say(
            f"No recipe of project {name} has triggers. "
            "Give one: @project.recipe(triggers=[Cron(…)])."
        )
    else:
        columns = ("RECIPE", "TRIGGER", "NEXT", "LAST FIRED", "COMES", "NOTE")
        output.table(columns, [_row(each) for each in found])
        named = [] if project is None else [project]
        worker = options.worker_to_type(*named)
        if executor is None and worker is not None:
            output.warn(f"No worker is running: nothing fires. Start one: {worker}")
        elif (lacking := executor_lacking(executor, name, worker)) is not None:
            output.warn(f"Nothing fires. {lacking}")
    return 0


def _row(trigger: TriggerView) -> list[str]:
    next_at, fired_at = (
        "" if moment is None else output.away(moment)
        for moment in (trigger.next_at, trigger.fired_at)
    )
    when = trigger.trigger.partition(" ")[2]
    return [trigger.recipe, trigger.name, next_at, fired_at, when, "; ".join(notes(trigger))]


_BRINGS = {"webhook": "message", "endpoint": "call"}


def notes(trigger: TriggerView) -> Iterator[str]:
    """What people should know of a trigger."""
    if trigger.paused is not None:
        why = f": {trigger.paused.why}" if trigger.paused.why else ""
        yield f"paused by {trigger.paused.by}{why}"
    if trigger.asked is not None:
        yield f"to be fired, says {trigger.asked.by}"
    if trigger.error is not None:
        yield trigger.error.message
    if trigger.rejected:
        yield f"{output.counted(trigger.rejected, _BRINGS.get(trigger.kind, 'item'))} rejected"
