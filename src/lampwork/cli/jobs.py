"""`lampwork jobs`: the list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import get_args

import click

from lampwork.cli import completing, output
from lampwork.cli.options import Options, examples, filled, paged, shared
from lampwork.cli.reading import reading
from lampwork.insights import Insights, JobView, Page, WaitingOn, to_json
from lampwork.types import JobStatus

_SHOWN = 3
"""Jobs alike, below the same one, that are listed to people; of more, the first ones."""


@click.command(
    "jobs",
    epilog=examples(
        "lampwork jobs --status needs_attention", "lampwork jobs --recipe review --roots --limit 10"
    ),
)
@click.option("--status", type=click.Choice(get_args(JobStatus)), help="Only these.")
@click.option("--recipe", type=completing.recipe, help="Only jobs of this recipe.")
@click.option("--roots", is_flag=True, help="Without the jobs that other jobs have started.")
@paged
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

    async def listing(insights: Insights) -> tuple[Page[JobView], bool]:
        page = await insights.jobs(
            status=status, recipe=recipe, roots=roots, limit=limit, after=after
        )
        return page, await insights.has_several_projects()

    none: Page[JobView] = Page((), None)
    found, several = asyncio.run(reading(options, listing)) or (none, False)
    if as_json:
        output.say_json(to_json(found))
    elif not found.items:
        output.say(f"No {_wanted(status, recipe)} in {options.settings.home}.")
        if status is None and recipe is None:
            output.say(f"Start one: {options.to_type('run', 'RECIPE')}")
    else:
        output.table(*_table(found, with_project=several))
        if found.next is not None:
            wanted = {"--status": status, "--recipe": recipe, "--limit": str(limit)}
            flags = ("--roots",) if roots else ()
            output.say(f"More: {options.to_type('jobs', *flags, *filled(wanted, found.next))}")
    return 0


def _wanted(status: str | None, recipe: str | None) -> str:
    jobs = "jobs" if status is None else f"{status} jobs"
    return jobs if recipe is None else f'{jobs} of recipe "{recipe}"'


def _table(found: Page[JobView], *, with_project: bool) -> tuple[list[str], list[list[str]]]:
    columns = ["JOB", "RECIPE", "STATUS", "AGE", "WAITS FOR"]
    rows: list[list[str]] = []
    for jobs in _alike(found.items):
        shown = [_row(job) for job in jobs[:_SHOWN]]
        if more := len(jobs) - len(shown):
            shown.append([f"{_indent(jobs[0])}and {more} more", *shown[0][1:3], "", ""])
        if with_project:
            for row in shown:
                row.insert(1, jobs[0].project)
        rows += shown
    if with_project:
        columns.insert(1, "PROJECT")
    return columns, rows


def _alike(jobs: Sequence[JobView]) -> Iterator[list[JobView]]:
    """Jobs in groups: items of one map that have the same status and wait for nothing."""

    def group(job: JobView) -> object:
        is_quiet = job.parent is not None and not job.waiting_on
        return (job.parent, job.recipe, job.status) if is_quiet else job.job_id

    return (list(each) for _, each in groupby(jobs, key=group))


def _indent(job: JobView) -> str:
    return " " * (job.job_id.count(".") if job.parent is not None else 0)


def _row(job: JobView) -> list[str]:
    status = f"{job.status} (cancelling)" if job.cancelling else job.status
    waits = "; ".join(_deepest(wait) for wait in job.waiting_on)
    return [f"{_indent(job)}{job.job_id}", job.title, status, output.span(job.created_at), waits]


def _deepest(wait: WaitingOn) -> str:
    """What is waited for in the end, at the bottom of a chain of jobs."""
    if wait.kind == "attention":
        return wait.what.partition(": ")[0]
    if not wait.waiting_on:
        return wait.what
    below = "; ".join(_deepest(each) for each in wait.waiting_on)
    return f"{wait.what} → {below}"
