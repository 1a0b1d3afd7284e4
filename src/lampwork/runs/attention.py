"""What the log of the executing process says when a job can't go on without a person."""

from __future__ import annotations

import logging

_log = logging.getLogger("lampwork.job")


def need_person(job_id: str, why: str, hint: str, verb: str, *, at: int | None = None) -> None:
    """Say that a job needs attention, as call `at` shows, and what a person may type then."""
    _log.warning(
        "job %s needs attention: %s. %s: lampwork job %s %s",
        job_id,
        why.rstrip("."),
        hint,
        job_id,
        verb,
        extra={"event": "job.needs_attention", "job_id": job_id, "call": at},
    )
