"""What the log says of a job that waits, or has ended."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from lampwork import values
from lampwork.logs import place_of
from lampwork.runs.wait import Wait
from lampwork.store.jobs import jobs
from lampwork.types import JobStatus, Json

__all__ = ["say_ended", "say_waiting"]

_log = logging.getLogger("lampwork.worker")


def say_ended(job: jobs.EndedJob, outcome: values.Outcome | None) -> None:
    """Log how a job ended; of a failure class and place, because its message may hold values."""
    facts: dict[str, Json] = {"event": f"job.{job.status}", "job_id": job.id}
    if not isinstance(outcome, values.Failure):
        _log.info("job %s %s", job.id, job.status, extra=facts)
        return
    error, at = outcome.error, place_of(outcome.traceback)
    what = error["fields"].get("error_type") or error["code"]
    facts |= {"error": error["code"], "error_type": error["fields"].get("error_type"), "at": at}
    where = "" if at is None else f" at {at}"
    said = "job %s %s: %s%s. What it says: lampwork job %s"
    _log.info(said, job.id, job.status, what, where, job.id, extra=facts)


def say_waiting(job_id: str, waits: Iterable[Wait], status: JobStatus) -> None:
    """Log that a job only waits; of one that needs a person that has been said."""
    if status == "suspended" and _log.isEnabledFor(logging.INFO):
        kinds = sorted({wait.kind for wait in waits} - {"order"})  # which may never come
        facts = {"event": "job.suspended", "job_id": job_id, "waits_for": kinds}
        _log.info("job %s suspended: waits for %s", job_id, ", ".join(kinds), extra=facts)
