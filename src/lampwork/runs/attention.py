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


def need_approval(job_id: str, orchestrator: str, orchestration: str) -> None:
    """Say that a person must approve the plan of an orchestration before it goes on."""
    _log.info(
        "job %s waits for a person to approve the plan of %s: lampwork orchestration %s approve",
        job_id,
        orchestrator,
        orchestration,
        extra={
            "event": "job.needs_approval",
            "job_id": job_id,
            "orchestrator": orchestrator,
            "task_id": orchestration,
        },
    )


def need_user(job_id: str, wait_id: str, user: str, skill: str) -> None:
    """Say that a user must confirm a skill call, which may be done where that user is."""
    _log.info(
        "job %s waits for %s to confirm %s: lampwork job %s confirm %s",
        job_id,
        user,
        skill,
        job_id,
        wait_id,
        extra={
            "event": "job.needs_confirmation",
            "job_id": job_id,
            "wait_id": wait_id,
            "user": user,
            "skill": skill,
        },
    )
