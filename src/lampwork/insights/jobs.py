"""Jobs as they are read: in lists, as trees of calls, and in full."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.insights.budgets import budgets_of
from lampwork.insights.conversations import error_view
from lampwork.insights.files import with_urls
from lampwork.insights.tasks import shown_of_task
from lampwork.insights.waiting import waiting_on
from lampwork.store import blobs
from lampwork.store.lists import queries
from lampwork.store.tasks import by_hand, conversations
from lampwork.store.upkeep import restorations
from lampwork.store.upkeep.restorations import Restoration
from lampwork.types import CARRIERS, ENDED, Json
from lampwork.views import (
    BudgetView,
    CallView,
    CopyView,
    JobDetails,
    JobTree,
    JobView,
    LogLine,
    Page,
    RestorationView,
    TaskView,
    moment,
    moment_or_none,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.views import WaitingOn


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a finished call."""

    number: int
    ended_at: float | None
    outcome: values.Outcome | None
    """None when it is a value too large to be read here; `blob` is its digest then."""
    blob: str | None = None
    kept_from: str | None = None
    """The job that made it, if this one, a copy, has kept it."""


Calls = Mapping[str, Sequence[Finished]]
"""By job id."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of a tree is read."""

    jobs: int
    """Jobs in all; further ones are counted only."""
    per_call: int
    """Jobs of one call; further ones are counted only."""
    entries: int
    """Newest entries of a task in which its skill calls are looked for."""


def page_of_jobs(connection: sa.Connection, **wanted: Any) -> Page[JobView]:
    """A page of jobs, see `queries.page_of_jobs`."""
    found = queries.page_of_jobs(connection, **wanted)
    waits, leads = waiting_on(connection, found.rows), queries.leads(connection, found.rows)
    items = tuple(JobView(**_shown(row, waits[row.id], leads)) for row in found.rows)
    return Page(items, found.next)


def one_job(connection: sa.Connection, job_id: str) -> JobView:
    """A job as in a list. Raises JobNotFound."""
    row = queries.job(connection, job_id)
    waits, leads = waiting_on(connection, [row])[row.id], queries.leads(connection, [row])
    return JobView(**_shown(row, waits, leads))


def _shown(
    row: queries.Row, waits: tuple[WaitingOn, ...], leads: Mapping[str, str]
) -> dict[str, Any]:
    """The fields of a JobView."""
    return {
        "job_id": row.id,
        "recipe": row.callable,
        "status": row.status,
        "waiting_on": waits,
        "created_at": moment(row.created_at),
        "started_at": moment_or_none(row.started_at),
        "ended_at": moment_or_none(row.ended_at),
        "parent": row.parent_id,
        "version": row.version,
        "project": row.project,
        "cancelling": row.want == "cancelled" and row.status not in ENDED,
        "attention": row.attention,
        "erased_at": moment_or_none(row.erased_at),
        "orchestrator": leads.get(row.id),
        "worker": row.executor if row.status == "running" else None,
        **({f"{row.copied_as}_of": row.copy_of} if row.copy_of is not None else {}),
    }


# --- trees: the rows first, on one snapshot; then large values that they name ---


@dataclass(slots=True)
class Rows:
    """The rows of a job and the jobs below it."""

    root: queries.Row
    with_calls: Sequence[str]
    """The ids of the jobs that are shown with their calls."""
    ended: frozenset[str]
    """The ids of those that have ended."""
    waits: Mapping[str, tuple[WaitingOn, ...]]
    leads: Mapping[str, str]
    """By job, the orchestrator whose plan it carries out."""
    children: Mapping[tuple[str, int], list[queries.Row]]
    counts: Mapping[tuple[str, int], tuple[int, int, int]]
    begun: Mapping[str, list[queries.Row]]
    tasks: Mapping[tuple[str, int], queries.Row]
    entries: Mapping[str, Sequence[queries.Row]]
    """By task, its newest ones."""
    usage: Mapping[str, dict[str, int]]
    """By task."""
    usage_in_all: dict[str, int]
    budgets: Mapping[str | None, BudgetView]
    envelopes: Mapping[str, str]
    """By job id, the outcomes of the root and of the jobs that failed or were cancelled."""
    unknown: frozenset[tuple[str, int]]
    """The places of steps of which nobody knows whether they happened."""
    copies: Sequence[queries.Row]
    """The copies of the root."""
    answered: Mapping[str, dict[str, str]]
    """By copy, its tasks that a person answered, and who."""
    log: Sequence[queries.Row] = field(default=())
    restoration: Restoration | None = None
    """Of the root."""


def read_rows(connection: sa.Connection, job_id: str, depth: Depth) -> Rows:
    """What the tree of a job is made of. Raises JobNotFound."""
    root = queries.job(connection, job_id)
    jobs, level = [root], [root]
    children: dict[tuple[str, int], list[queries.Row]] = defaultdict(list)
    while level and len(jobs) < depth.jobs:
        parents = [row.id for row in level]
        found = queries.children(connection, parents, each=depth.per_call, unfinished=False)
        shown = found[: depth.jobs - len(jobs)]
        for row in shown:
            children[row.parent_id, row.parent_call].append(row)
        jobs += shown
        level = [row for row in shown if not row.detached]
    # A job that is not waited for stands in the tree without its calls.
    ids = [row.id for row in jobs if row is root or not row.detached]
    begun: dict[str, list[queries.Row]] = defaultdict(list)
    for call in queries.begun_calls(connection, ids):
        begun[call.job_id].append(call)
    copies = queries.copies(connection, job_id)
    tasks = queries.tasks_of(connection, ids)
    return Rows(
        root=root,
        with_calls=ids,
        ended=frozenset(row.id for row in jobs if row.status in ENDED),
        waits=waiting_on(connection, [*jobs, *copies]),
        leads=queries.leads(connection, jobs),
        children=children,
        counts=queries.counts_of_children(connection, ids),
        begun=begun,
        tasks={(task.job_id, task.call): task for task in tasks},
        entries={
            task.id: queries.entries_of_task(connection, task, newest=depth.entries)
            for task in tasks
        },
        usage={task.id: conversations.usage_so_far(connection, task) for task in tasks},
        usage_in_all=conversations.usage_below(connection, job_id),
        budgets=budgets_of(connection, tasks),
        envelopes=_envelopes(connection, jobs),
        unknown=frozenset(
            (wait.job_id, wait.call)
            for wait in queries.open_waits(connection, ids)
            if wait.kind == "resolution" and wait.task_id is None
        ),
        copies=copies,
        answered=_answered(connection, [row.id for row in copies]),
        log=queries.log_lines(connection, job_id),
        restoration=restorations.of_job(connection, root),
    )


def _answered(connection: sa.Connection, job_ids: list[str]) -> dict[str, dict[str, str]]:
    answered: dict[str, dict[str, str]] = {job_id: {} for job_id in job_ids}
    for task in by_hand.answers_in(connection, job_ids) if job_ids else ():
        answered[task.job_id][task.id] = task.by
    return answered


def _envelopes(connection: sa.Connection, jobs: Sequence[queries.Row]) -> dict[str, str]:
    root, *below = jobs
    wanted = [root.id, *(row.id for row in below if row.status in ("failed", "cancelled"))]
    return {
        job_id: blobs.unfold(connection, outcome)
        for job_id, outcome in queries.outcomes(connection, wanted).items()
    }


def job_tree(rows: Rows, finished: Calls) -> JobTree:
    """A job and all below it."""
    return JobTree(**_branch(rows, rows.root, finished), usage=rows.usage_in_all)


def job_details(rows: Rows, finished: Calls) -> JobDetails:
    """A job in full."""
    row = rows.root
    outcome = _outcome(rows, row)
    return JobDetails(
        **_branch(rows, row, finished),
        usage=rows.usage_in_all,
        input=row.input,
        trigger=_trigger(row.trigger),
        output=_output(row, outcome),
        traceback=row.traceback,
        log=tuple(LogLine(at=moment(line.at), message=line.message) for line in rows.log),
        forked_at=row.copied_at,
        kept_code=row.kept_code,
        restored=None if rows.restoration is None else restoration_view(rows.restoration),
        copies=tuple(
            CopyView(
                **_shown(each, rows.waits[each.id], rows.leads), answered=rows.answered[each.id]
            )
            for each in rows.copies
        ),
    )


def _output(row: queries.Row, outcome: values.Outcome | None) -> Json:
    if not isinstance(outcome, values.Value):
        return None
    output = json.loads(outcome.text)
    return with_urls(output) if row.callable in CARRIERS else output


def restoration_view(row: Restoration) -> RestorationView:
    """A restoration as it is shown."""
    return RestorationView(
        backup_at=moment(row.backup_at),
        restored_at=moment(row.restored_at),
        by=row.by,
        closed_at=moment_or_none(row.closed_at),
    )


def _trigger(trigger: dict[str, Json]) -> dict[str, Json]:
    """What started a job; of a copy, `at` is when its original was triggered."""
    at = trigger.get("at")
    return trigger if at is None else trigger | {"at": moment(at).isoformat()}


def _outcome(rows: Rows, row: queries.Row) -> values.Outcome | None:
    envelope = rows.envelopes.get(row.id)
    return None if envelope is None else values.read(envelope)


def _branch(rows: Rows, row: queries.Row, finished: Calls) -> dict[str, Any]:
    """The fields of a JobTree."""
    over = {each.number: each for each in finished.get(row.id, ())}
    begun = sorted(rows.begun[row.id], key=lambda call: call.number)
    calls = [_call(rows, row, each, over.get(each.number), finished) for each in begun]
    outcome = _outcome(rows, row)
    failed = isinstance(outcome, values.Failure)
    return _shown(row, rows.waits[row.id], rows.leads) | {
        "calls": tuple(calls),
        "error": error_view(outcome.error) if failed else None,
        "after_end": tuple(
            JobView(**_shown(child, rows.waits[child.id], rows.leads))
            for child in rows.children[row.id, 0]
        ),
    }


def _call(
    rows: Rows,
    job: queries.Row,
    begun: queries.Row,
    over: Finished | None,
    finished: Calls,
) -> CallView:
    place = (job.id, begun.number)
    task = rows.tasks.get(place)
    total, ended, failed = rows.counts.get(place, (0, 0, 0))
    return CallView(
        number=begun.number,
        kind=begun.kind,
        name=begun.name,
        started_at=moment_or_none(begun.opened_at),
        ended_at=moment_or_none(over.ended_at if over else job.ended_at),
        task=None if task is None else _task(rows, task),
        jobs=tuple(JobTree(**_branch(rows, child, finished)) for child in rows.children[place]),
        jobs_total=total,
        jobs_ended=ended,
        jobs_failed=failed,
        kept_from=None if over is None else over.kept_from,
        **(
            _open(job, unknown=place in rows.unknown)
            if over is None
            else _came_of(over, is_task=begun.kind == "task")
        ),
    )


def _open(job: queries.Row, *, unknown: bool) -> dict[str, Json]:
    if unknown:
        return {"status": "unknown"}
    return {"status": "cancelled" if job.status in ENDED else "open"}


def _came_of(over: Finished, *, is_task: bool) -> dict[str, Json]:
    """The fields of a CallView that say what came of it."""
    match over.outcome:
        case values.Value(text):
            value = json.loads(text)
            return {"status": "ok", "value": with_urls(value) if is_task else value}
        case values.Failure(error):
            return {"status": "failed", "error": error_view(error)}
        case None:
            return {"status": "ok", "blob": over.blob}


def _task(rows: Rows, task: queries.Row) -> TaskView:
    budget = rows.budgets.get(task.budget_id)
    return TaskView(**shown_of_task(task, rows.entries[task.id], rows.usage[task.id], budget))
