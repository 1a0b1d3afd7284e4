"""Subtasks of an orchestrator in levels: each is given what those of the one before found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from benchmarks import records
from benchmarks.systems import Place
from benchmarks.systems.lampwork_fan import clerk, project
from lampwork import Answer, Call, Turn, playbook
from lampwork.insights import Insights


def _id(level: int, place: int) -> str:
    return f"s{level}-{place}"


def _subtasks(widths: Sequence[int]) -> list[dict[str, Any]]:
    above: list[list[str]] = [[]]
    above += [[_id(level, it) for it in range(width)] for level, width in enumerate(widths)]
    return [
        {
            "id": id,
            "title": "Look up",
            "agent": clerk.name,
            "brief": "Look up.",
            "inputs": [{"name": each, "subtask": each} for each in before],
        }
        for before, level in pairwise(above)
        for id in level
    ]


@playbook
def leading(turn: Turn) -> Call | Answer:
    """Plans levels of so many subtasks as it is told."""
    return Answer("done") if turn.results else Call("plan", subtasks=_subtasks(turn.data))


leader = project.orchestrator(
    "leader", model=leading, job_description="Have it looked up.", agents=[clerk]
)


CarryOut = Callable[[Sequence[int]], Awaitable[str]]
"""Carries out a plan of levels that are so wide; gives the task of the orchestration."""

Longest = Callable[[str], Awaitable[list[float]]]
"""Of an orchestration, by level, the seconds of the task that took longest, by the ledger."""


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[tuple[CarryOut, Longest]]:
    async with project.open(settings=records.settings(place)) as app:

        async def carry_out(widths: Sequence[int]) -> str:
            answer = await app.assign_task(leader, "Have it looked up.", data=list(widths))
            if len(answer.sections) != sum(widths):
                raise AssertionError(f"{len(answer.sections)} of {sum(widths)} have succeeded")
            return answer.task_id

        async def longest(orchestration: str) -> list[float]:
            ledger = await Insights(app.store).orchestration(orchestration)
            took: dict[str, float] = {}
            for subtask in ledger.subtasks:
                [task] = subtask.attempts
                assert task.began_at is not None
                assert task.ended_at is not None
                level, seconds = subtask.subtask.split("-")[0], task.ended_at - task.began_at
                took[level] = max(took.get(level, 0), seconds.total_seconds())
            return list(took.values())

        yield carry_out, longest
