"""The span of a job that has ended, with those of its tasks: read from their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.store.jobs import jobs
from lampwork.store.tasks import by_hand
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.otel import JobSpan, TaskSpan, Telemetry
    from lampwork.worker import Worker

__all__ = ["trace_end"]


async def trace_end(
    worker: Worker, telemetry: Telemetry, job_id: str, outcome: values.Outcome | None
) -> None:
    """Send the spans of a job that has ended here, and of its tasks."""
    row = await worker.store.read(jobs.get, job_id)
    tasks = await worker.store.read(by_hand.of_job, job_id)
    ended = [_task(worker, task) for task in tasks if task.ended_at is not None]
    telemetry.job_ended(_job(row, tuple(ended), outcome))


def _job(row: Any, tasks: tuple[TaskSpan, ...], outcome: values.Outcome | None) -> JobSpan:
    from lampwork.otel import JobSpan  # it is there: this is called when it is on

    error: str | None = None
    if isinstance(outcome, values.Failure):
        error = outcome.error["fields"].get("error_type") or outcome.error["code"]
    return JobSpan(
        id=row.id,
        root_id=row.root_id,
        parent=_above(row),
        recipe=row.callable,
        project=row.project,
        status=row.status,
        began=row.started_at or row.created_at,
        ended=row.ended_at or row.changed_at,
        error=error,
        tasks=tasks,
    )


def _above(row: Any) -> str | None:
    """What the job was started by: a job, or one of its skill calls, by its key."""
    if row.parent_id is None:
        return None
    place = row.id[len(row.parent_id) + 1 :]
    # The call's number; an item of a map has its position beside, a skill call two numbers.
    return f"t{row.id[1:]}" if place.count(".") == 2 else row.parent_id


def _task(worker: Worker, row: Any) -> TaskSpan:
    from lampwork.otel import TaskSpan

    genie = worker.project.genies.get(row.genie)
    failed: dict[str, Json] | None = row.outcome["error"] if row.status == "failed" else None
    return TaskSpan(
        id=row.id,
        genie=row.genie,
        model=None if genie is None else worker.cast.model_of(genie).name,
        conversation_id=row.conversation_id,
        status=row.status,
        began=row.created_at,
        ended=row.ended_at,
        usage=row.usage or {},
        error=None if failed is None else failed["code"],
    )
