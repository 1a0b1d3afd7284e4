"""Files of tasks: what they were given, and what their skills have saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lampwork.errors import ArtifactNotFound, NotFound, quoted
from lampwork.store import blobs
from lampwork.store.lists import queries
from lampwork.store.tasks import artifacts
from lampwork.types import Json
from lampwork.views import FileView

if TYPE_CHECKING:
    import sqlalchemy as sa


def file_view(record: dict[str, Json]) -> FileView:
    """A file by its record."""
    return FileView(
        name=record["name"],
        media_type=record["media_type"],
        size=record["size"],
        digest=record["digest"],
        notes=tuple(record.get("notes", ())),
    )


def file_views(records: Iterable[dict[str, Json]] | None) -> tuple[FileView, ...]:
    """Several."""
    return tuple(map(file_view, records or ()))


def given_file(connection: sa.Connection, task_id: str, name: str) -> tuple[FileView, bytes]:
    """A file that a task was given. Raises TaskNotFound, NotFound."""
    given = {each.name: each for each in file_views(queries.task(connection, task_id).files)}
    if name not in given:
        raise NotFound(
            f"Task {task_id} was given no file {quoted(name)}. "
            f"It was given: {', '.join(given) or 'none'}."
        )
    return given[name], blobs.get(connection, given[name].digest)


def saved_file(connection: sa.Connection, task_id: str, name: str) -> tuple[FileView, bytes]:
    """An artifact that a task has saved, the last one of that name. Raises ArtifactNotFound."""
    saved = {each["name"]: file_view(each) for each in artifacts.of_task(connection, task_id)}
    if name not in saved:
        raise ArtifactNotFound(
            f"Task {task_id} has no artifact {quoted(name)}. It has: {', '.join(saved) or 'none'}."
        )
    return saved[name], blobs.get(connection, saved[name].digest)
