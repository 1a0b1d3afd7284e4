"""The tasks below a task, as they are recorded with what it did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.store.tasks import delegated
from lampwork.tasks.action import actions_record
from lampwork.tasks.transcript import own_transcript
from lampwork.types import Json

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["tasks_below"]


def tasks_below(connection: sa.Connection, task: str) -> list[dict[str, Json]]:
    """The records (see `DelegatedTask`) of the tasks right below one, each with those below it."""
    return [_record(connection, *each) for each in delegated.right_below(connection, task)]


def _record(connection: sa.Connection, row: sa.Row[Any], envelope: str | None) -> dict[str, Json]:
    outcome: dict[str, Json] = row.outcome or {}
    record: dict[str, Json] = {
        "task_id": row.id,
        "job_id": row.job_id,
        "genie": row.genie,
        "status": row.status,
        "conversation_id": row.conversation_id,
        "actions": _recorded(envelope) if envelope else _from_entries(connection, row),
    }
    if "error" in outcome:
        record["error"] = outcome["error"]["message"]
    if "by" in outcome:
        record["answered_by"] = outcome["by"]
    return record


def _recorded(envelope: str) -> list[Json]:
    """The actions that a task which has ended left on record."""
    match values.read(envelope):
        case values.Value(text):
            return json.loads(text)["actions"]
        case values.Failure(error):
            return error["fields"].get("actions", [])


def _from_entries(connection: sa.Connection, row: sa.Row[Any]) -> list[Json]:
    """The actions of a task that was cancelled, or is still worked on."""
    so_far = own_transcript(connection, row)
    return actions_record(so_far.actions.values(), tasks_below(connection, row.id))
