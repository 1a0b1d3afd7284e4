"""Ids that people type: whether there is such a thing, or else which was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lampwork.errors import ConversationNotFound, JobNotFound, close_to
from lampwork.store.lists import queries

if TYPE_CHECKING:
    import sqlalchemy as sa


def check_job(connection: sa.Connection, given: str) -> None:
    """Raise JobNotFound, which says what the id is of, or which was meant."""
    place = queries.place_of(connection, given)
    if place is not None and place.kind == "job":
        return
    instead = "`lampwork jobs` lists them."
    match place:
        case None:
            meant = close_to(given, queries.newest_ids(connection, "jobs"))
            instead = f"{meant} {instead}".lstrip()
        case queries.Place("conversation", job):
            of_job = f", of job {job}" if job else ""
            instead = f"It is a conversation{of_job}: lampwork conversation {given}"
        case queries.Place("task", job, conversation):
            instead = (
                f"It is a task: lampwork conversation {conversation} shows what was said and done "
                f"in it, lampwork job {job} its job."
            )
        case queries.Place(_, job):
            instead = f"It is something that job {job} waits for: lampwork job {job}"
    raise JobNotFound(f"There is no job {given}. {instead}")


def check_conversation(connection: sa.Connection, given: str) -> None:
    """Raise ConversationNotFound, which says what the id is of, or which was meant."""
    place = queries.place_of(connection, given)
    if place is not None and place.kind == "conversation":
        return
    instead = "`lampwork conversations` lists them."
    match place:
        case None:
            meant = close_to(given, queries.newest_ids(connection, "conversations"))
            instead = f"{meant} {instead}".lstrip()
        case queries.Place("task", _, conversation):
            instead = f"It is a task in one: lampwork conversation {conversation}"
        case queries.Place("job", job):
            instead = f"It is a job, which names those of its tasks: lampwork job {job}"
        case queries.Place(_, job):
            instead = f"It is something that job {job} waits for: lampwork job {job}"
    raise ConversationNotFound(f"There is no conversation {given}. {instead}")
