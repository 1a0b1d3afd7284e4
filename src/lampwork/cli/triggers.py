"""`lampwork triggers`: what starts jobs by itself, and when it does next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from lampwork.cli import output
from lampwork.cli.options import Options, shared
from lampwork.cli.reading import reading
from lampwork.insights import Insights, Page, TriggerView, to_json


@click.command("triggers")
@shared
def command(home: Path | None, as_json: bool) -> int:
    """List the triggers of recipes, as the worker that executed last has found them."""
    options = Options(home, as_json)

    async def listing(insights: Insights) -> Page[TriggerView]:
        return await insights.triggers()

    none: Page[TriggerView] = Page((), None)
    found = asyncio.run(reading(options, listing)) or none
    if as_json:
        output.say_json(to_json(found))
    elif not found.items:
        output.say(
            f"No triggers in {options.settings.home}. "
            "A worker writes those of its project down when it starts."
        )
    else:
        output.table(*_table(found.items))
    return 0


def _table(found: tuple[TriggerView, ...]) -> tuple[list[str], list[list[str]]]:
    columns = ["RECIPE", "TRIGGER", "NEXT", "LAST FIRED", "NOTE"]
    rows = [_row(each) for each in found]
    if len({each.project for each in found}) > 1:
        columns.insert(0, "PROJECT")
        for row, each in zip(rows, found, strict=True):
            row.insert(0, each.project)
    return columns, rows


def _row(trigger: TriggerView) -> list[str]:
    next_at, fired_at = (
        "" if moment is None else output.local(moment)
        for moment in (trigger.next_at, trigger.fired_at)
    )
    return [trigger.recipe, trigger.trigger, next_at, fired_at, "; ".join(notes(trigger))]


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
        yield f"{output.counted(trigger.rejected, 'item')} rejected"
