"""What stands before a model, and is the model in all but what it says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from lampwork.models.ask import Ask, LanguageModel, Reply
from lampwork.models.price import Price

__all__ = ["BeforeModel"]


@dataclass(frozen=True, slots=True)
class BeforeModel:
    """A `LanguageModel` that asks another one."""

    model: LanguageModel

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    @property
    def uses_tokens(self) -> bool:
        """Whether the model does."""
        return self.model.uses_tokens

    @property
    def counts_alike(self) -> bool:
        """Whether the model does."""
        return self.model.counts_alike

    @property
    def max_output_tokens(self) -> int | None:
        """The model's."""
        return self.model.max_output_tokens

    @property
    def sees(self) -> bool:
        """Whether the model does."""
        return self.model.sees

    @property
    def paced_as(self) -> tuple[str, ...]:
        """As the model."""
        return self.model.paced_as

    def check(self) -> None:
        """Raise ModelUnknown or ModelKeyMissing."""
        self.model.check()

    def price(self, input_tokens: int | None = None) -> Price | None:
        """The model's."""
        return self.model.price(input_tokens)

    async def respond(self, ask: Ask) -> Reply:
        """The model's reply."""
        return await self.model.respond(ask)
