"""`lampwork jobs`: the list."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, groupby
from typing import Any, cast, get_args

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, paged, shared
from lampwork.cli.reading import from_source
from lampwork.cli.source import Source
from lampwork.cli.wanted import filtered, typed
from lampwork.cli.working import warn_if_lacking
from lampwork.types import JobStatus
from lampwork.views import Executor, JobsWanted, JobView, Page, WaitingOn, to_json

_SHOWN = 3
"""Jobs alike, below the same one, that are listed to people; of more, the first ones."""

_Executors = Mapping[str, Executor | None]
"""Who executes the jobs of each project that has some."""

_Below = Mapping[str | None, Sequence[JobView]]
"""The jobs right below each one; below None, those whose parent is not listed."""


@click.command(
    "jobs",
    epilog=examples(
        "lampwork jobs --status needs_attention",
        "lampwork jobs --recipe review --roots --limit 10",
        "lampwork jobs --metadata invoice_id=I-7 --since 7d",
    ),
)
@click.option("--status", type=click.Choice(get_args(JobStatus)), help="Only these.")
@filtered
@click.option(
    "--restored", is_flag=True, help="Only those whose effects may be older than a restore."
)
@click.option("--roots", is_flag=True, help="Without the jobs that other jobs have started.")
@paged
@shared
def command(limit: int, after: str | None, options: Options, **given: Any) -> int:
    """List jobs, the newest first, each with those that it has started.

    A TIME is how long ago it was, or a moment in ISO 8601.
    """
    wanted = cast(JobsWanted, {name: each for name, each in given.items() if each})

    async def listing(source: Source) -> tuple[Page[JobView], bool, _Executors]:
        page = await source.jobs(limit=limit, after=after, **wanted)
        while not page.items and page.next is not None:  # a server looks only so far at once
            page = await source.jobs(limit=limit, after=page.next, **wanted)
        open = dict.fromkeys(job.project for job in page.items if job.ended_at is None)
        executing = {project: await source.executing(project) for project in open}
        return page, await source.has_several_projects(), executing

    none: Page[JobView] = Page((), None)
    found, several, executing = asyncio.run(from_source(options, listing)) or (none, False, {})
    if options.as_json:
        output.say_json(to_json(found))
    elif not found.items:
        output.say(f"No {_in_words(wanted)} in {options.where}.")
        if not wanted.keys() - {"roots"}:
            output.say(f"Start one: {options.to_type('run', 'RECIPE')}")
    else:
        with_worker = options.has_many_workers and any(job.worker for job in found.items)
        output.table(*_table(found, with_project=several, with_worker=with_worker))
        if found.next is not None:
            words = [*typed(wanted), "--limit", str(limit), "--after", found.next]
            output.say(f"More: {options.to_type('jobs', *words)}")
        for project, executor in executing.items():
            warn_if_lacking(executor, project, options)
    return 0


def _in_words(wanted: JobsWanted) -> str:
    restored = "restored" if wanted.get("restored") else None
    jobs = " ".join(filter(None, [wanted.get("status"), restored, "jobs"]))
    if (recipe := wanted.get("recipe")) is not None:
        jobs += f' of recipe "{recipe}"'
    further = wanted.keys() - {"status", "restored", "recipe", "roots"}
    return f"{jobs} like that" if further else jobs


def _table(
    found: Page[JobView], *, with_project: bool, with_worker: bool
) -> tuple[list[str], list[list[str]]]:
    columns = ("JOB", "PROJECT", "RECIPE", "STATUS", "AGE", "WORKER", "WAITS FOR")
    shown = (True, with_project, True, True, True, with_worker, True)
    ids = {job.job_id for job in found.items}
    below: dict[str | None, list[JobView]] = defaultdict(list)
    for job in found.items:
        below[job.parent if job.parent in ids else None].append(job)
    return list(compress(columns, shown)), [
        list(compress(row, shown)) for row in _rows(below, None)
    ]


def _rows(below: _Below, parent: str | None, depth: int = 0) -> Iterator[list[str]]:
    """The jobs below one, each with those below it."""
    for jobs in _alike(below[parent]):
        for job in jobs[:_SHOWN]:
            yield _row(job, depth)
            yield from _rows(below, job.job_id, depth + 1)
        if more := jobs[_SHOWN:]:
            text = f"{'  ' * depth}and {len(more)} more"
            if further := sum(_count(below, job) for job in more):
                text += f", with {further} below them"
            yield [text, more[0].project, more[0].title, more[0].status, "", "", ""]


def _count(below: _Below, job: JobView) -> int:
    """How many jobs there are below one, at any depth."""
    return sum(1 + _count(below, each) for each in below[job.job_id])


def _alike(jobs: Sequence[JobView]) -> Iterator[list[JobView]]:
    """Jobs in groups: items of one map that have the same status and wait for nothing."""

    def group(job: JobView) -> object:
        is_quiet = job.parent is not None and not job.waiting_on
        return (job.parent, job.recipe, job.status) if is_quiet else job.job_id

    return (list(each) for _, each in groupby(jobs, key=group))


def _row(job: JobView, depth: int) -> list[str]:
    status = f"{job.status} (cancelling)" if job.cancelling else job.status
    waits = "; ".join(_deepest(wait) for wait in job.waiting_on)
    age, worker = output.span(job.created_at), output.short(job.worker or "")
    return [f"{'  ' * depth}{job.job_id}", job.project, job.title, status, age, worker, waits]


def _deepest(wait: WaitingOn) -> str:
    """What is waited for in the end, at the bottom of a chain of jobs."""
    if wait.kind == "attention":
        return wait.what.partition(": ")[0]
    if not wait.waiting_on:
        return wait.what
    below = "; ".join(_deepest(each) for each in wait.waiting_on)
    return f"{wait.what} → {below}"
