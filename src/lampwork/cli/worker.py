"""`lampwork worker`: the process that executes the jobs of a folder."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import replace
from logging.handlers import MemoryHandler
from pathlib import Path

import click

from lampwork.app import App
from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load
from lampwork.cli.stopping import stop_signals
from lampwork.insights import Insights
from lampwork.project import Project

_HELD = 10_000
"""Lines of the log that are held back at the most."""


@click.command(
    "worker",
    epilog=examples("lampwork worker", "lampwork worker shop.project:project --home /var/lib/shop"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@shared
def command(project: str | None, home: Path | None, as_json: bool) -> int:
    """Execute the jobs of the folder, and let triggers fire, until SIGTERM or Ctrl-C.

    What executes then gets some seconds to end; the rest goes on with the next worker. One worker
    executes a folder; any process may queue jobs for it and answer what they wait for.
    """
    options = Options(home, as_json)
    log = _held_log()
    try:
        return asyncio.run(_work(load(project), options, log))
    finally:
        _let_go(log)


async def _work(project: Project, options: Options, log: MemoryHandler) -> int:
    settings = replace(options.settings, triggers=True)
    with stop_signals() as stopped:
        async with App.opened(project, settings) as app:
            if options.as_json:
                started = {"home": str(settings.home), "pid": os.getpid(), "project": project.name}
                output.say_json(started)
            else:
                output.say(f"Lampwork executes the jobs of {settings.home} (pid {os.getpid()})")
            _let_go(log)
            insights = Insights(app.store)
            if kept := await insights.kept(project.name):
                output.warn(
                    f"Left alone: {output.counted(len(kept), 'job')} that `lampwork dev` keeps on "
                    f"older code: {', '.join(kept)}. To let one go on with this code: "
                    f"{options.to_type('job', kept[0], 'go-on')}"
                )
            for other, count in (await insights.unfinished_of_others(project.name)).items():
                output.warn(
                    f"Left alone: {output.counted(count, 'unfinished job')} of project {other}."
                )
            await stopped.wait()
            output.warn(f"Closing: what executes gets up to {settings.grace:g} s. Again: at once.")
    return 0


def _held_log() -> MemoryHandler:
    """The log to stderr, held back, but for errors, until it has been said who executes what."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    held = MemoryHandler(_HELD, flushLevel=logging.ERROR, target=handler)
    log = logging.getLogger("lampwork")
    log.addHandler(held)
    log.setLevel(logging.INFO)
    return held


def _let_go(held: MemoryHandler) -> None:
    """From now on each line is written at once."""
    held.capacity = 0
    held.flush()
