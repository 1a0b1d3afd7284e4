"""Answers of subtasks as the rounds have them on record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.store.jobs import calls
from lampwork.tasks.answer import TaskAnswer

if TYPE_CHECKING:
    from lampwork.store.store import Store

__all__ = ["accepted"]


async def accepted(store: Store, job_id: str, call: int) -> TaskAnswer[Any]:
    """The answer of a subtask that was accepted, as that call of a round has it on record."""
    envelope = await store.unfold(await store.read(calls.envelope, job_id, call))
    record = json.loads(values.text_of(values.read(envelope)))
    return TaskAnswer.from_json(record, None)
