"""A plan that the author has made, in the place of the model's first reply."""

from __future__ import annotations

from dataclasses import dataclass

from lampwork.models.ask import Ask, Reply
from lampwork.models.before import BeforeModel
from lampwork.models.playbook import reply_of
from lampwork.orchestrators.plan import Plan, as_given

__all__ = ["Planned"]


@dataclass(frozen=True, slots=True)
class Planned(BeforeModel):
    """A model before which a plan is made; all else is its own."""

    plan: Plan

    @property
    def counts_alike(self) -> bool:
        """What nobody has asked of the model it has not counted."""
        return False

    async def respond(self, ask: Ask) -> Reply:
        """The plan at first, then what the model says."""
        if ask.turn.number > 1:
            return await self.model.respond(ask)
        given = {"subtasks": as_given(self.plan.subtasks)}
        return reply_of("plan by the author", ask, "", [("plan", given)])
