"""The same tasks as subtasks of an orchestrator, all at a time; its plan and its end as well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks import records
from benchmarks.systems import Place
from benchmarks.systems.lampwork_fan import clerk, project
from lampwork import Answer, Call, OrchestrationLimits, Turn, playbook

MOST = 1_000


@playbook
def leading(turn: Turn) -> Call | Answer:
    """Plans as many subtasks as it is told."""
    if turn.results:
        return Answer("done")
    subtask = {"title": "Look up", "agent": clerk.name, "brief": "Look up."}
    return Call("plan", subtasks=[{"id": f"s{it}"} | subtask for it in range(turn.data)])


leader = project.orchestrator(
    "leader",
    model=leading,
    job_description="Have it looked up.",
    agents=[clerk],
    limits=OrchestrationLimits(parallel=MOST, subtasks=MOST),
)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Callable[[int], Awaitable[list[str]]]]:
    async with project.open(settings=records.settings(place)) as app:

        async def fan(tasks: int) -> list[str]:
            answer = await app.assign_task(leader, "Have it looked up.", data=tasks)
            return [section.response for section in answer.sections]

        yield fan
