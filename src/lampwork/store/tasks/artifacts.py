"""Artifacts of tasks: who saved what, and the content, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork import clock
from lampwork.errors import ArtifactNotFound
from lampwork.store import blobs
from lampwork.store.schema import artifacts, blob_owners, conversations, jobs, tasks
from lampwork.store.tasks import uploads
from lampwork.store.tasks.conversations import StaleEpoch
from lampwork.types import Json

_FACTS = (artifacts.c.name, artifacts.c.media_type, artifacts.c.digest, artifacts.c.size)


def save(
    connection: sa.Connection,
    conversation: str,
    task: str,
    epoch: int,
    artifact: dict[str, Json],
    *,
    call: str,
    content: bytes,
) -> None:
    """Save an artifact of a skill call; one of the same name gives way to it. Raises StaleEpoch."""
    held = sa.select(conversations.c.id).where(
        conversations.c.id == conversation,
        conversations.c.holder == task,
        conversations.c.epoch == epoch,
    )
    if connection.execute(held).first() is None:
        raise StaleEpoch(f"task {task} does not write to {conversation} under epoch {epoch}")
    name, digest = artifact["name"], artifact["digest"]
    owner = f"{task}.{call}/{name}"
    before = connection.execute(
        sa.select(artifacts.c.digest).where(
            artifacts.c.task_id == task, artifacts.c.call == call, artifacts.c.name == name
        )
    ).scalar()
    if before is not None and before != digest:
        blobs.disown(connection, owner, before)
    blobs.put(connection, digest, content)
    blobs.own(connection, owner, [digest])
    facts: dict[str, Any] = {**artifact, "at": clock.now()}
    connection.execute(
        insert(artifacts)
        .values(task_id=task, call=call, **facts)
        .on_conflict_do_update(index_elements=["task_id", "call", "name"], set_=facts)
    )


def of_call(connection: sa.Connection, task: str, call: str) -> list[dict[str, Json]]:
    """The artifacts of a skill call, in the order in which they were saved."""
    rows = connection.execute(
        sa.select(*_FACTS)
        .where(artifacts.c.task_id == task, artifacts.c.call == call)
        .order_by(artifacts.c.at, artifacts.c.name)
    )
    return [dict(row) for row in rows.mappings()]


def of_task(connection: sa.Connection, task: str) -> list[dict[str, Json]]:
    """The artifacts of a task, those saved last at the end."""
    rows = connection.execute(
        sa.select(*_FACTS).where(artifacts.c.task_id == task).order_by(artifacts.c.at)
    )
    return [dict(row) for row in rows.mappings()]


def saved_as(connection: sa.Connection, project: str, digest: str) -> dict[str, Json] | None:
    """The facts of the artifact that was saved last with that content in a project."""
    saved = _with_content(digest, project, *_FACTS).order_by(artifacts.c.at.desc())
    found = connection.execute(saved).mappings().first()
    return None if found is None else dict(found)


def content(connection: sa.Connection, project: str, digest: str) -> bytes:
    """The content of a file that is the project's. Raises ArtifactNotFound."""
    require(connection, project, [digest])
    return blobs.get(connection, digest)


def require(connection: sa.Connection, project: str, digests: Iterable[str]) -> None:
    """Raise ArtifactNotFound unless all of these are the project's: saved by a task of it, uploaded
    to it, or given to a job of it."""
    ways = (_is_saved, uploads.has, _is_given)
    for digest in digests:
        if not any(way(connection, project, digest) for way in ways):
            raise ArtifactNotFound(
                f'Project "{project}" has no artifact {digest[:12]}…. Name one that a TaskAnswer '
                "of this project lists, or that was uploaded within the last day."
            )


def _is_saved(connection: sa.Connection, project: str, digest: str) -> bool:
    found = _with_content(digest, project, artifacts.c.digest)
    return connection.execute(found).first() is not None


def _with_content(
    digest: str, project: str, *columns: sa.Column[Any]
) -> sa.Select[tuple[Any, ...]]:
    """One of the artifacts of a project that have a content."""
    return (
        sa.select(*columns)
        .join(tasks, tasks.c.id == artifacts.c.task_id)
        .join(conversations, conversations.c.id == tasks.c.conversation_id)
        .where(artifacts.c.digest == digest, conversations.c.project == project)
        .limit(1)
    )


def _is_given(connection: sa.Connection, project: str, digest: str) -> bool:
    found = (
        sa.select(jobs.c.id)
        .join(blob_owners, blob_owners.c.owner == jobs.c.id)
        .where(blob_owners.c.digest == digest, jobs.c.project == project)
        .limit(1)
    )
    return connection.execute(found).first() is not None
