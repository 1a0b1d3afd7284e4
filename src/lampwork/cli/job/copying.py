"""`lampwork job ID retry|rerun|fork`: what would happen again is shown and confirmed first."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator

import click

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.cli.reading import of_job
from lampwork.cli.source import Source
from lampwork.cli.working import job_lacking
from lampwork.views import CopyPlan, EffectCount, PlannedCall, to_json

Plan = Callable[[Source], Awaitable[CopyPlan]]

_SHOWN = 30
"""Calls that are listed; of more, the first ones."""


def copy(options: Options, job_id: str, plan: Plan, *, only_plan: bool, yes: bool) -> int:
    """Show what a copy of a job would do again, and make it if that is wanted; the exit code."""

    async def do(source: Source) -> int:
        planned = await plan(source)
        if only_plan and options.as_json:
            output.say_json(to_json(planned))
            return 0
        if not options.as_json:
            show(planned)
        if only_plan:
            return 0
        if not yes and not confirmed(planned.kind, options):
            return 1
        made = await source.copy(planned)
        return await _made(source, options, planned, made.job_id)

    return of_job(options, job_id, do)


def show(plan: CopyPlan) -> None:
    """Print what a copy would do again."""
    for line in _lines(plan):
        output.say(line)


def confirmed(what: str, options: Options) -> bool:
    """Ask whether that is to be done. Raises UsageError where nobody can be asked."""
    if options.as_json or not sys.stdin.isatty():
        raise click.UsageError(f"Nothing was done. Add --yes to {what} it, --plan to look.")
    if click.confirm(f"\n{what.capitalize()} it?"):
        return True
    output.say("Nothing was done.")
    return False


async def _made(source: Source, options: Options, plan: CopyPlan, job_id: str) -> int:
    job = await source.job(job_id)
    if options.as_json:
        output.say_json(to_json(job))
        return 0
    output.say(f"Job {job_id} is a {plan.kind} of job {plan.original}.")
    executor = await source.executing(job.project)
    lacking = job_lacking(executor, job.project, options)
    if lacking is not None:
        output.say(lacking)
    output.say(f"Look at it: {options.to_type('job', job_id)}")
    return 0


# --- a plan for people: what they must see stands first ---


def _lines(plan: CopyPlan) -> Iterator[str]:
    place = "" if plan.at is None else f" at call {plan.at}"
    yield f"A {plan.kind} of job {plan.original} ({plan.recipe}, {plan.status}){place}"
    if plan.repeated:
        yield "\nHas happened, or may have, and would again under a new key"
        yield from (f"  {_mark(each)} {_effect(each)}" for each in plan.repeated)
    yield f"\nMade anew, as the recipe comes to it: {output.counted(len(plan.again), 'call')}"
    yield from _listed(plan.again)
    yield f"\nKept as recorded: {output.counted(len(plan.kept), 'call')}"
    yield from _listed(plan.kept)
    for each in plan.copies:
        yield f"\nThere is a {each.kind} of it already: job {each.job_id}, {each.status}"
    yield from (f"\n{note}" for note in plan.notes)


def _mark(effect: EffectCount) -> str:
    return "!" if effect.effect == "at_most_once" else "·"


def _effect(effect: EffectCount) -> str:
    counts = {
        "happened": effect.happened,
        "failed": effect.failed,
        "with an unknown outcome": effect.unknown,
    }
    came_of = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{effect.what}  {effect.effect}  {came_of}"


def _listed(calls: tuple[PlannedCall, ...]) -> Iterator[str]:
    yield from (f"  {_call(each)}" for each in calls[:_SHOWN])
    if len(calls) > _SHOWN:
        yield f"  and {len(calls) - _SHOWN} more"


def _call(call: PlannedCall) -> str:
    number = f"{call.number}  " if call.number else ""
    text = f"{number}{call.kind} {call.name}  {call.came_of}"
    if call.jobs:
        text += f"  {output.counted(call.jobs, 'job')}, {call.jobs_succeeded} succeeded"
    return text
