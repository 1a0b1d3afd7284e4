"""`lampwork worker`: a process that executes jobs."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from lampwork.app import App
from lampwork.cli import output
from lampwork.cli.log import Log, log_option
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load
from lampwork.cli.stopping import stop_signals
from lampwork.cli.tuning import tuned
from lampwork.insights import Insights
from lampwork.logs import LogFormat
from lampwork.place import Place
from lampwork.project import Project
from lampwork.settings import Settings


@click.command(
    "worker",
    epilog=examples("lampwork worker", "lampwork worker shop.project:project --home /var/lib/shop"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@click.option(
    "--otel", is_flag=True, help="Send spans and metrics by OpenTelemetry; else LAMPWORK_OTEL=1."
)
@tuned
@log_option
@shared
def command(
    project: str | None,
    otel: bool,
    tuning: Mapping[str, Any],
    log_format: LogFormat,
    options: Options,
) -> int:
    """Execute jobs, and let triggers fire, until SIGTERM or Ctrl-C.

    What executes then gets some seconds to end; the rest goes on with the next worker. One worker
    executes a folder, any number those of a database; any process may queue jobs for them and
    answer what they wait for.
    """
    log = Log(log_format)
    try:
        settings = replace(options.settings, triggers=True, **tuning)
        if otel:
            settings = replace(settings, otel=True)
        return asyncio.run(_work(load(project), settings, options, log))
    finally:
        log.let_go()


async def _work(project: Project, settings: Settings, options: Options, log: Log) -> int:
    with stop_signals() as stopped:
        async with App.opened(project, settings) as app:
            gc.freeze()  # what was loaded is no garbage, and to look through it stops all for 0.1 s
            _say_started(settings.place, project, options, log)
            insights = Insights(app.store)
            if kept := await insights.kept(project.name):
                log.tell(
                    f"Left alone: {output.counted(len(kept), 'job')} that `lampwork dev` keeps on "
                    f"older code: {', '.join(kept)}. To let one go on with this code: "
                    f"{options.to_type('job', kept[0], 'go-on')}",
                    "worker.left_alone",
                    jobs=len(kept),
                )
            for other, count in (await insights.unfinished_of_others(project.name)).items():
                log.tell(
                    f"Left alone: {output.counted(count, 'unfinished job')} of project {other}.",
                    "worker.left_alone",
                    jobs=count,
                    project=other,
                )
            await stopped.wait()
            log.tell(
                f"Closing: what executes gets up to {settings.grace:g} s. Again: at once.",
                "worker.closing",
                grace=settings.grace,
            )
    return 0


def _say_started(place: Place, project: Project, options: Options, log: Log) -> None:
    """Who executes what: said on stdout, before anything is logged."""
    pid, where = os.getpid(), str(place)
    said = f"Lampwork executes the jobs of {where} (pid {pid})"
    if options.as_json:
        output.say_json({"place": where, "pid": pid, "project": project.name})
    else:
        output.say(said)
    log.let_go()
    if log.form == "json":
        facts = {"pid": pid, "home": where, "project": project.name}
        log.tell(said, "worker.started", level=logging.INFO, **facts)
