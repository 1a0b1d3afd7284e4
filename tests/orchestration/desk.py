"""A project whose orchestrator has agents that wait, that fail, and that do what they are told."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.orchestration.team import agent, lead
from tests.support import eventually

from lampwork import Answer, CannotComplete, OrchestrationLimits, Project, Turn
from lampwork.door import Door
from lampwork.errors import TaskNotFound
from lampwork.insights import Insights
from lampwork.views import OrchestrationView, SubtaskView


class Desk:
    """A project whose agent `slow` answers nothing, and whose agent `held` answers when told."""

    def __init__(self, *plan: dict[str, Any], **given: Any) -> None:
        self.project = Project("desk")
        self.told = asyncio.Event()
        self.asked: list[str] = []
        self.mended = False
        """Whether the agent `unable` can."""
        team = [
            agent(self.project, "slow", self._slow),
            agent(self.project, "held", self._held),
            agent(self.project, "able", self._able),
            agent(self.project, "unable", self._unable),
        ]
        limits = OrchestrationLimits(backoff=0)
        lead(self.project, team, plan, limits=limits, **given)

    async def _slow(self, turn: Turn) -> Answer:
        self.asked.append(f"slow: {turn.instructions}")
        await asyncio.Event().wait()
        return Answer("never")

    async def _held(self, turn: Turn) -> Answer:
        self.asked.append(f"held: {turn.instructions}")
        await self.told.wait()
        return Answer("held")

    def _unable(self, _: Turn) -> Answer | CannotComplete:
        return Answer("mended") if self.mended else CannotComplete("no data")

    async def tell(self) -> None:
        """Let `held` answer; on the loop on which it waits."""
        self.told.set()

    def _able(self, turn: Turn) -> Answer:
        self.asked.append(f"able: {turn.instructions} {sorted(turn.data or {})}")
        return Answer("done")


async def orchestration(app: Door, job_id: str) -> OrchestrationView:
    """That of a job, once its plan is there."""

    async def look() -> OrchestrationView | None:
        try:
            return await Insights(app.store).orchestration(job_id)
        except TaskNotFound:
            return None

    return await eventually(look)


async def stands(app: Door, of: str, id: str, status: str) -> SubtaskView:
    """A subtask, once it has this status."""

    async def look() -> SubtaskView | None:
        found = await Insights(app.store).orchestration(of)
        [subtask] = [each for each in found.subtasks if each.subtask == id]
        return subtask if subtask.status == status else None

    return await eventually(look)
