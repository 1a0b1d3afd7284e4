"""`lampwork status`: how the whole is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime

import click

from lampwork.cli import output
from lampwork.cli.limits import length_of_time
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import from_source
from lampwork.cli.source import Source
from lampwork.views import Operations, Process, Spend, Timing, to_json


@click.command(
    "status",
    epilog=examples("lampwork status", "lampwork status --since 7d", "lampwork status --json"),
)
@click.option(
    "--since",
    default="24h",
    callback=length_of_time,
    show_default=True,
    metavar="TIME",
    help="How far back what was spent is counted: 90m, 12h, 7d.",
)
@shared
def command(since: float, options: Options) -> int:
    """Show how the whole is doing: jobs and tasks, what needs people, what was spent on models, and
    what the processes that execute have counted since they began.
    """

    async def look(source: Source) -> Operations:
        return await source.operations(seconds=since)

    found = asyncio.run(from_source(options, look))
    if found is None:
        from lampwork.insights.operations import nothing_yet

        found = nothing_yet(since)
    if options.as_json:
        output.say_json(to_json(found))
    else:
        _say(found, options)
    return 0


def _say(found: Operations, options: Options) -> None:
    _line("Jobs", ", ".join(_jobs(found)) or "none")
    _line("Tasks", ", ".join(f"{count:,} {status}" for status, count in found.tasks.items()))
    for job in found.attention:
        _line("Attention", options.to_type("job", job.job_id) + f" ({job.title})")
    output.say()
    last = output.duration((found.at - found.since).total_seconds())
    if found.spend:
        output.say(f"Used in the last {last}")
        output.table(("GENIE", "MODEL", "USED"), [_row(each) for each in found.spend])
    else:
        output.say(f"No model was asked in the last {last}.")
    for process in found.processes:
        output.say()
        _say_process(process, found.at, on_server=options.has_many_workers)


def _line(name: str, text: str) -> None:
    output.say(f"{name:<10} {text}")


def _jobs(found: Operations) -> Iterator[str]:
    for status, count in found.jobs.items():
        since = found.oldest_queued_at if status == "queued" else None
        waiting = "" if since is None else f" (the oldest for {output.span(since, found.at)})"
        if count:
            yield f"{count:,} {status}{waiting}"


def _row(spend: Spend) -> tuple[str, str, str]:
    genie = f"{spend.genie} of {spend.project}"
    return genie, spend.model or "(no reply)", output.used(spend.usage)


def _say_process(process: Process, now: datetime, *, on_server: bool) -> None:
    until = process.closed_at or (now if process.state == "alive" else process.counted_at)
    ended = "" if process.state == "alive" else f", {process.state}"
    if process.closed_at is not None:
        ended += f" {output.away(process.closed_at)}"
    named = f" (worker {output.short(process.executor)})" if on_server else ""
    output.say(
        f"Process {process.pid} of {process.project}{named}, "
        f"for {output.span(process.started_at, until)}"
        f"{ended}, as of {output.away(process.counted_at)}"
    )
    jobs = ", ".join(f"{count:,} {status}" for status, count in process.jobs_ended.items())
    models = _timing(process.model_calls)
    if process.model_calls.count:
        again, without = process.model_tries_again, process.model_failures
        models += f"; {again:,} asked again, {without:,} without a reply"
    said = {
        "jobs": jobs or "none has ended",
        "appends": f"{process.appends:,}",
        "commits": f"{process.changes:,} changes in {_timing(process.commits)}",
        "models": models,
        "skills": _timing(process.skill_calls),
    }
    for name, text in said.items():
        output.say(f"  {name:<8} {text}")
    if process.changes_refused:
        output.say(f"  {'refused':<8} {process.changes_refused:,} changes, by the database")


def _timing(timing: Timing) -> str:
    if timing.p50 is None or timing.p95 is None:
        return "none"
    half, most = output.duration(timing.p50), output.duration(timing.p95)
    return f"{timing.count:,}, half of them within {half}, 95 % within {most}"
