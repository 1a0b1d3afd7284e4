"""Files of tasks: what they were given, and what their skills have saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from lampwork.errors import ArtifactNotFound, quoted
from lampwork.store import blobs
from lampwork.store.lists import queries
from lampwork.store.tasks import artifacts
from lampwork.types import Json
from lampwork.views import FileView

if TYPE_CHECKING:
    import sqlalchemy as sa


def file_view(record: dict[str, Json], url: str) -> FileView:
    """A file by its record."""
    return FileView(
        name=record["name"],
        media_type=record["media_type"],
        size=record["size"],
        digest=record["digest"],
        url=url,
        notes=tuple(record.get("notes", ())),
    )


def given_views(task_id: str, records: Iterable[dict[str, Json]] | None) -> tuple[FileView, ...]:
    """What a task was given."""
    at = f"/api/tasks/{task_id}/files"
    return tuple(file_view(each, f"{at}/{quote(each['name'], safe='')}") for each in records or ())


def saved_views(task_id: str, records: Iterable[dict[str, Json]]) -> tuple[FileView, ...]:
    """What a task has saved."""
    return tuple(file_view(each, _saved_at(task_id, each)) for each in records)


def answered_views(task_id: str, body: dict[str, Json]) -> tuple[FileView, ...]:
    """What an orchestration has answered with; its subtasks have saved most of it."""
    located = cast(dict[str, Any], with_urls({"artifacts": [], "task_id": task_id} | body))
    return tuple(file_view(each, each["url"]) for each in located["artifacts"])


def _saved_at(task_id: str, record: dict[str, Json]) -> str:
    """By its digest, for a later call may have saved another content under the same name."""
    name = quote(record["name"], safe="")
    return f"/api/tasks/{task_id}/artifacts/{name}?digest={record['digest']}"


def with_urls(answer: Json) -> Json:
    """The record of a task's answer, whose artifacts say where their contents are."""
    record = cast(dict[str, Any], answer) if isinstance(answer, dict) else {}
    if "artifacts" not in record:
        return cast(Json, answer)
    savers: dict[str, str] = {}
    sections: list[Json] = []
    for section in record.get("sections", ()):
        task = section["task_id"]
        savers |= {_saved_at("", each): task for each in section["artifacts"]}
        sections.append(section | {"artifacts": _located(section["artifacts"], {}, task)})
    located: dict[str, Any] = {
        "artifacts": _located(record["artifacts"], savers, record["task_id"])
    }
    return record | located | ({"sections": sections} if sections else {})


def _located(
    artifacts: Iterable[dict[str, Json]], savers: dict[str, str], task_id: str
) -> list[Json]:
    return [
        each | {"url": _saved_at(savers.get(_saved_at("", each), task_id), each)}
        for each in artifacts
    ]


def given_file(connection: sa.Connection, task_id: str, name: str) -> tuple[FileView, bytes]:
    """A file that a task was given. Raises TaskNotFound, ArtifactNotFound."""
    files = given_views(task_id, queries.task(connection, task_id).files)
    given = {each.name: each for each in files}
    if name not in given:
        raise ArtifactNotFound(
            f"Task {task_id} was given no file {quoted(name)}. "
            f"It was given: {', '.join(given) or 'none'}."
        )
    return given[name], blobs.get(connection, given[name].digest)


def saved_file(
    connection: sa.Connection, task_id: str, name: str, digest: str | None = None
) -> tuple[FileView, bytes]:
    """An artifact that a task has saved: that of a digest, or the last one of that name.

    Raises ArtifactNotFound.
    """
    every = saved_views(task_id, artifacts.of_task(connection, task_id))
    saved = {each.name: each for each in every if digest in (None, each.digest)}
    if name not in saved:
        names = ", ".join({each.name: None for each in every})
        of_digest = "" if digest is None else f" of digest {digest[:12]}…"
        raise ArtifactNotFound(
            f"Task {task_id} has no artifact {quoted(name)}{of_digest}. It has: {names or 'none'}."
        )
    return saved[name], blobs.get(connection, saved[name].digest)


def stored_file(connection: sa.Connection, project: str, digest: str) -> tuple[FileView, bytes]:
    """A file that is the project's, as the artifact that it was saved as, if it was.

    Raises ArtifactNotFound.
    """
    content = artifacts.content(connection, project, digest)
    known = artifacts.saved_as(connection, project, digest) or {
        "name": digest,
        "media_type": "application/octet-stream",
        "digest": digest,
        "size": len(content),
    }
    return file_view(known, f"/api/projects/{quote(project, safe='')}/files/{digest}"), content
