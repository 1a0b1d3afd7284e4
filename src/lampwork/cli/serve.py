"""`lampwork serve`: the HTTP API of a project, and a worker beside it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from lampwork.app import App
from lampwork.cli import output
from lampwork.cli.log import Log, log_option
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load
from lampwork.cli.stopping import stop_signals
from lampwork.cli.tuning import tuned
from lampwork.door import Door
from lampwork.errors import AccountsLacking, FolderInUse
from lampwork.logs import LogFormat
from lampwork.place import Place
from lampwork.project import Project
from lampwork.settings import Settings

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _address(_context: click.Context, _parameter: click.Parameter, host: str) -> str:
    try:
        return str(ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError as error:
        raise click.BadParameter(
            f"{host} is no address of this machine. Listen at 127.0.0.1, or at 0.0.0.0 for all."
        ) from error


@click.command(
    "serve",
    epilog=examples("lampwork serve", "lampwork serve shop.project:project --port 8080"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    callback=_address,
    help="The address to listen at; one that others reach takes accounts, and TLS or a proxy.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8700,
    show_default=True,
    help="0 is any that is free.",
)
@click.option("--behind-proxy", is_flag=True, help="A proxy is before it, which speaks TLS.")
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Its certificate, in PEM.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="The key of that.")
@click.option(
    "--streams",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many streams of live hints one caller may have open.",
)
@click.option("--no-worker", is_flag=True, help="Execute nothing; other processes do.")
@tuned
@log_option
@shared
def command(
    project: str | None,
    host: str,
    port: int,
    behind_proxy: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    streams: int,
    no_worker: bool,
    tuning: Mapping[str, Any],
    log_format: LogFormat,
    options: Options,
) -> int:
    """Serve the HTTP API, and execute jobs, until SIGTERM or Ctrl-C.

    Requests that are answered then, and what executes, get some seconds to end. What there is of
    the API says /openapi.json. At loopback it works at once; where others can reach it, it takes
    accounts, and TLS or a proxy.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("A certificate has a key: give --tls-cert and --tls-key, or none.")
    if tls_cert is not None:
        _check_tls(tls_cert, tls_key)
    listen = _Listen(host, port, behind_proxy, tls_cert, tls_key, streams)
    if not (listen.is_alone or behind_proxy or tls_cert):
        raise click.UsageError(
            f"{host} can be reached from other machines, where anybody between would hear "
            "passwords and keys. Give --tls-cert and --tls-key, or --behind-proxy if one before it "
            "speaks TLS; or listen at 127.0.0.1."
        )
    log = Log(log_format)
    try:
        settings = replace(options.settings, triggers=not no_worker, **tuning)
        executes = not no_worker
        return asyncio.run(_serve(load(project), listen, settings, options, log, executes=executes))
    finally:
        log.let_go()


def _check_tls(cert: Path, key: Path | None) -> None:
    """Raise BadParameter for files with which nobody could speak TLS."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except OSError as error:  # as an SSLError is
        why = error.strerror or str(error)
        raise click.BadParameter(
            f"{cert} and {key} can't be used: {why}. Give a certificate, with those that have "
            "signed it, and its key without a passphrase, both in PEM.",
            param_hint="--tls-cert",
        ) from error


@dataclass(frozen=True, slots=True)
class _Listen:
    """Where a server listens, and how it is reached there."""

    host: str
    port: int
    behind_proxy: bool
    tls_cert: Path | None
    tls_key: Path | None
    streams: int

    @property
    def is_alone(self) -> bool:
        """Whether nobody on another machine reaches it."""
        return ip_address(self.host).is_loopback and not self.behind_proxy

    def url(self, port: int) -> str:
        """Its address, with the port that it got."""
        scheme = "http" if self.tls_cert is None else "https"
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{port}"


async def _serve(
    project: Project,
    listen: _Listen,
    settings: Settings,
    options: Options,
    log: Log,
    *,
    executes: bool,
) -> int:
    from lampwork.server.app import build  # 0.3 s, which help does without
    from lampwork.server.authority import KnownCallers
    from lampwork.server.running import Reached, bound, serving
    from lampwork.server.serving import Serving
    from lampwork.triggers.receiving import check_webhooks

    check_webhooks(project)
    opened = App.opened if executes else Door.opened
    reached = Reached(listen.behind_proxy, listen.tls_cert, listen.tls_key)
    with stop_signals() as stopped, bound(listen.host, listen.port) as at:
        url = listen.url(at.getsockname()[1])
        try:
            async with opened(project, settings) as door:
                served = Serving.at(door, model=settings.model, streams=listen.streams)
                link = await _link(door, listen, url, options)
                known = KnownCallers(door.store, on_loopback=listen.is_alone)
                async with serving(build(served, known), at, reached):
                    gc.freeze()  # as in a worker
                    _say_started(url, settings.place, project, options, log, executes=executes)
                    _say_link(link, options)
                    await stopped.wait()
                    served.drain()
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


async def _link(door: Door, listen: _Listen, url: str, options: Options) -> str | None:
    """The one-time link for a browser here. Raises AccountsLacking where others reach it."""
    from lampwork.people import accounts, links

    if listen.is_alone:
        token = await links.offer(door.store)
        return None if token is None else f"{url}/#link={token}"
    if not await accounts.are_there(door.store):
        made = options.to_type("account", "ann@example.org", "add", "--role", "admin")
        raise AccountsLacking(
            f"{listen.host} can be reached from other machines, and nobody has an account. "
            f"Make one first: {made}"
        )
    return None


def _say_link(link: str | None, options: Options) -> None:
    """Said to whoever has started it, and in no log: for a while it opens the door."""
    if link is not None and not options.as_json:
        output.say(f"Nobody has an account. For a browser here, once, within 15 minutes: {link}")


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
