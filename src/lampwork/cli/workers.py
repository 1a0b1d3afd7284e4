"""`lampwork workers`: the processes that execute."""

from __future__ import annotations

import asyncio

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import from_source
from lampwork.cli.source import Source
from lampwork.views import WorkerView, to_json


@click.command("workers", epilog=examples("lampwork workers", "lampwork workers --json"))
@shared
def command(options: Options) -> int:
    """List the processes that execute jobs, and those that did within the last hour: when the last
    heartbeat of each was, how many jobs are in its charge, and who lets triggers fire.

    One that is gone was killed, or hangs, or can't reach the server. Its jobs go on elsewhere.
    """

    async def look(source: Source) -> tuple[WorkerView, ...]:
        return await source.workers()

    found = asyncio.run(from_source(options, look)) or ()
    if options.as_json:
        output.say_json({"items": to_json(found), "next": None})
    elif found:
        columns = ("WORKER", "PROJECT", "CODE", "HOST", "PID", "STATE", "SINCE", "SEEN", "JOBS")
        output.table(columns, [_row(each) for each in found])
    else:
        output.say(f"No process executes the jobs of {options.where}.")
        if (worker := options.worker_to_type()) is not None:
            output.say(f"Start one: {worker}")
    return 0


def _row(worker: WorkerView) -> list[str]:
    notes = [f"{count:,} {status}" for status, count in worker.jobs.items()]
    if worker.limited:
        notes.append("executes what it was started for")
    if worker.fires_triggers:
        notes.append("lets triggers fire")
    return [
        output.short(worker.worker),
        worker.project,
        output.short(worker.code),
        worker.host,
        str(worker.pid),
        worker.state,
        output.span(worker.started_at),
        "" if worker.seen_at is None else output.away(worker.seen_at),
        ", ".join(notes),
    ]
