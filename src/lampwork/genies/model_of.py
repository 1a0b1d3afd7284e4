"""Which model replies for a genie in this process."""

from __future__ import annotations

from collections.abc import Callable

from lampwork.genies.genie import Genie
from lampwork.models.ask import LanguageModel
from lampwork.models.resolve import resolve

__all__ = ["ModelOf", "own_or"]

ModelOf = Callable[[Genie], LanguageModel]
"""The model that replies for a genie."""


def own_or(override: str | None) -> ModelOf:
    """What each genie names, unless `override` or LAMPWORK_MODEL stands in for all of them."""
    return lambda genie: resolve(genie.model, override)
