"""Whether an id is of one project: what belongs to another is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from lampwork.errors import (
    ConversationNotFound,
    JobNotFound,
    TaskNotFound,
    UserNotAllowed,
    WaitNotFound,
    quoted,
)
from lampwork.store.lists import queries
from lampwork.types import CARRIERS

if TYPE_CHECKING:
    import sqlalchemy as sa

_, _CHAT = CARRIERS


def require_job(connection: sa.Connection, job_id: str, project: str) -> None:
    """Raise JobNotFound."""
    if queries.project_of_job(connection, job_id) != project:
        raise JobNotFound(f"Project {quoted(project)} has no job {quoted(job_id)}.")


def require_own_words(connection: sa.Connection, job_id: str, user: str) -> None:
    """Raise UserNotAllowed for what another user has said in a chat."""
    job = queries.job(connection, job_id)
    said = cast(dict[str, Any], job.input or {}).get("message") if job.callable == _CHAT else None
    whose = user if said is None else said.get("user", user)
    if whose != user:
        raise UserNotAllowed(
            f"Job {job_id} is what {whose} has said in a chat, and nobody else says that again.",
            user=user,
        )


def require_conversation(connection: sa.Connection, conversation_id: str, project: str) -> None:
    """Raise ConversationNotFound."""
    if queries.project_of_conversation(connection, conversation_id) != project:
        raise ConversationNotFound(
            f"Project {quoted(project)} has no conversation {quoted(conversation_id)}."
        )


def require_task(connection: sa.Connection, task_id: str, project: str) -> None:
    """Raise TaskNotFound."""
    if queries.project_of_task(connection, task_id) != project:
        raise TaskNotFound(f"Project {quoted(project)} has no task {quoted(task_id)}.")


def require_wait(connection: sa.Connection, job_id: str, wait_id: str) -> None:
    """Raise WaitNotFound unless a job waits, or has waited, for it."""
    row = queries.wait(connection, wait_id)
    if row is None or row.job_id != job_id:
        raise WaitNotFound(f"Job {job_id} waits for nothing under the id {quoted(wait_id)}.")
