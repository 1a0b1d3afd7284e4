"""`lampwork jobs`: the list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click

from lampwork.cli import output
from lampwork.cli.options import Options, shared
from lampwork.cli.reading import reading
from lampwork.insights import Insights, JobView, Page, WaitingOn, to_json
from lampwork.types import JobStatus


@click.command("jobs")
@click.option("--status", type=click.Choice(get_args(JobStatus)), help="Only these.")
@click.option("--recipe", help="Only jobs of this recipe.")
@click.option("--roots", is_flag=True, help="Without the jobs that other jobs have started.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--after", metavar="CURSOR", help="The `next` of the page before.")
@shared
def command(
    status: str | None,
    recipe: str | None,
    roots: bool,
    limit: int,
    after: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """List jobs, the newest first, each with those that it has started."""
    options = Options(home, as_json)

    async def page(insights: Insights) -> Page[JobView]:
        return await insights.jobs(
            status=status, recipe=recipe, roots=roots, limit=limit, after=after
        )

    none: Page[JobView] = Page((), None)
    found = asyncio.run(reading(options, page)) or none
    if as_json:
        output.say_json(to_json(found))
    elif not found.items:
        output.say(f"No jobs in {options.settings.home}.")
    else:
        output.table(("JOB", "RECIPE", "STATUS", "AGE", "WAITS FOR"), list(_rows(found)))
        if found.next is not None:
            output.say(f"More: {options.to_type('jobs', '--after', found.next)}")
    return 0


def _rows(found: Page[JobView]) -> Iterator[list[str]]:
    for job in found.items:
        depth = job.job_id.count(".") if job.parent is not None else 0
        status = f"{job.status} (cancelling)" if job.cancelling else job.status
        waits = "; ".join(_deepest(wait) for wait in job.waiting_on)
        yield [f"{' ' * depth}{job.job_id}", job.title, status, output.span(job.created_at), waits]


def _deepest(wait: WaitingOn) -> str:
    """What is waited for in the end, at the bottom of a chain of jobs."""
    if not wait.waiting_on:
        return wait.what
    below = "; ".join(_deepest(each) for each in wait.waiting_on)
    return f"{wait.what} → {below}"
