"""Tasks as they are read, each by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.insights.budgets import budgets_of
from lampwork.insights.conversations import error_view, refusals, skill_cards, withheld_in
from lampwork.insights.files import given_views, with_urls
from lampwork.store import blobs
from lampwork.store.lists import queries
from lampwork.store.tasks import conversations
from lampwork.types import Json
from lampwork.views import BudgetView, TaskDetails, moment, moment_or_none

if TYPE_CHECKING:
    import sqlalchemy as sa

_ENTRIES = 2000
"""Newest ones, in which its skill calls are looked for."""


def task_details(connection: sa.Connection, task_id: str) -> TaskDetails:
    """A task in full. Raises TaskNotFound."""
    row = queries.task(connection, task_id)
    entries = queries.entries_of_task(connection, row, newest=_ENTRIES)
    usage = conversations.usage_so_far(connection, row)
    budget = budgets_of(connection, [row]).get(row.budget_id)
    return TaskDetails(
        **shown_of_task(row, entries, usage, budget),
        job=row.job_id,
        call=row.call,
        data=row.data,
        on_problem=row.on_problem,
        metadata=row.metadata,
        output_schema=row.output_schema,
        files=given_views(row.id, row.files),
        answer=_answer(connection, row),
    )


def _answer(connection: sa.Connection, row: queries.Row) -> dict[str, Json] | None:
    """The record of a task's answer, which is that of the call that assigned it."""
    if row.status != "answered":
        return None
    begun = queries.begun_calls(connection, [row.job_id])
    [call] = [each for each in begun if each.number == row.call]
    outcome = values.read(blobs.unfold(connection, call.envelope))
    return with_urls(json.loads(outcome.text)) if isinstance(outcome, values.Value) else None


def shown_of_task(
    task: queries.Row,
    entries: Sequence[queries.Row],
    usage: dict[str, int],
    budget: BudgetView | None,
) -> dict[str, Any]:
    """The fields of a TaskView; of its newest entries."""
    outcome: dict[str, Json] = task.outcome or {}
    return {
        "task_id": task.id,
        "genie": task.genie,
        "status": task.status,
        "conversation_id": task.conversation_id,
        "instructions": task.instructions,
        "created_at": moment(task.created_at),
        "ended_at": moment_or_none(task.ended_at),
        "skill_calls": skill_cards(entries),
        "refused": refusals(entries),
        "withheld": withheld_in(entries),
        "usage": usage,
        "error": error_view(outcome["error"]) if "error" in outcome else None,
        "budget": budget,
        "deadline": moment_or_none(task.deadline),
        "answered_by": outcome.get("by"),
    }
