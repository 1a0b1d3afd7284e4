"""`lampwork serve`: the HTTP API of a project, and a worker beside it."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from ipaddress import ip_address

import click

from lampwork.app import App
from lampwork.cli import output
from lampwork.cli.log import Log, log_option
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load
from lampwork.cli.stopping import stop_signals
from lampwork.door import Door
from lampwork.errors import FolderInUse
from lampwork.logs import LogFormat
from lampwork.place import Place
from lampwork.project import Project


def _loopback(_context: click.Context, _parameter: click.Parameter, host: str) -> str:
    try:
        if host == "localhost" or ip_address(host).is_loopback:
            return "127.0.0.1" if host == "localhost" else host
    except ValueError:
        pass
    raise click.BadParameter(
        f"{host} can be reached from other machines, and there is nothing yet that says who may "
        "use the server. Listen at 127.0.0.1."
    )


@click.command(
    "serve",
    epilog=examples("lampwork serve", "lampwork serve shop.project:project --port 8080"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    callback=_loopback,
    help="The address to listen at, of this machine alone.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8700,
    show_default=True,
    help="0 is any that is free.",
)
@click.option("--no-worker", is_flag=True, help="Execute nothing; other processes do.")
@log_option
@shared
def command(
    project: str | None,
    host: str,
    port: int,
    no_worker: bool,
    log_format: LogFormat,
    options: Options,
) -> int:
    """Serve the HTTP API, and execute jobs, until SIGTERM or Ctrl-C.

    Requests that are answered then, and what executes, get some seconds to end. What there is of
    the API says /openapi.json.
    """
    log = Log(log_format)
    try:
        return asyncio.run(_serve(load(project), host, port, options, log, executes=not no_worker))
    finally:
        log.let_go()


async def _serve(
    project: Project, host: str, port: int, options: Options, log: Log, *, executes: bool
) -> int:
    from lampwork.server.app import build  # 0.3 s, which help does without
    from lampwork.server.authority import AnyoneHere
    from lampwork.server.running import bound, serving
    from lampwork.server.serving import Serving

    settings = replace(options.settings, triggers=executes)
    opened = App.opened if executes else Door.opened
    with stop_signals() as stopped, bound(host, port) as at:
        url = f"http://{f'[{host}]' if ':' in host else host}:{at.getsockname()[1]}"
        try:
            async with opened(project, settings) as door:
                served = Serving.at(door)
                async with serving(build(served, AnyoneHere()), at):
                    _say_started(url, settings.place, project, options, log, executes=executes)
                    await stopped.wait()
                    served.draining = True
                    log.tell(
                        f"Closing: what executes gets up to {settings.grace:g} s. Again: at once.",
                        "worker.closing",
                        grace=settings.grace,
                    )
        except FolderInUse as error:
            to_type = options.to_type("serve", "--no-worker")
            raise FolderInUse(
                f"{error.message} To serve the API beside it, type: {to_type}", **error.fields
            ) from error
    return 0


def _say_started(
    url: str, place: Place, project: Project, options: Options, log: Log, *, executes: bool
) -> None:
    """What is served where: said on stdout, before anything is logged."""
    pid = os.getpid()
    facts = {"url": url, "place": str(place), "pid": pid, "project": project.name}
    beside = ", and executes its jobs" if executes else ""
    said = f"Lampwork serves project {project.name} of {place} at {url}{beside} (pid {pid})"
    if options.as_json:
        output.say_json(facts | {"executes": executes})
    else:
        output.say(said)
    log.let_go()
    if log.form == "json":
        log.tell(said, "server.started", level=logging.INFO, executes=executes, **facts)
