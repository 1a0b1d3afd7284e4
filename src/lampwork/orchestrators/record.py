"""Answers of subtasks as the rounds have them on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.store.tasks import orchestrations
from lampwork.tasks.answer import TaskAnswer

if TYPE_CHECKING:
    from lampwork.store.store import Store

__all__ = ["accepted"]


async def accepted(store: Store, records: Sequence[dict[str, Any]]) -> list[TaskAnswer[Any]]:
    """The answers of subtasks that have succeeded, by what their rounds say of them."""
    if not records:
        return []
    calls = [(each["job"], each["call"]) for each in records]
    envelopes = await store.read(orchestrations.envelopes, calls)
    return [
        TaskAnswer.from_json(json.loads(values.text_of(values.read(each))), None)
        for each in envelopes
    ]
