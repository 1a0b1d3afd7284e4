"""A plan that the author has made, in the place of the model's first reply."""

from __future__ import annotations

from dataclasses import dataclass

from lampwork.models.ask import Ask, LanguageModel, Reply
from lampwork.models.playbook import reply_of
from lampwork.models.price import Price
from lampwork.orchestrators.plan import Plan, as_given

__all__ = ["Planned"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A model before which a plan is made; all else is its own."""

    model: LanguageModel
    plan: Plan

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    @property
    def uses_tokens(self) -> bool:
        """As the model."""
        return self.model.uses_tokens

    @property
    def counts_alike(self) -> bool:
        """What nobody has asked of the model it has not counted."""
        return False

    @property
    def max_output_tokens(self) -> int | None:
        """As the model."""
        return self.model.max_output_tokens

    @property
    def sees(self) -> bool:
        """As the model."""
        return self.model.sees

    @property
    def paced_as(self) -> tuple[str, ...]:
        """As the model."""
        return self.model.paced_as

    def check(self) -> None:
        """Raise ModelUnknown or ModelKeyMissing."""
        self.model.check()

    def price(self, input_tokens: int | None = None) -> Price | None:
        """As the model."""
        return self.model.price(input_tokens)

    async def respond(self, ask: Ask) -> Reply:
        """The plan at first, then what the model says."""
        if ask.turn.number > 1:
            return await self.model.respond(ask)
        given = {"subtasks": as_given(self.plan.subtasks)}
        return reply_of("plan by the author", ask, "", [("plan", given)])
