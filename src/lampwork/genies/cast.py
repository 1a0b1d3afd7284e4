"""Who plays which genie in this process: the model that replies for it, the skills that act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lampwork.genies.genie import Genie
from lampwork.genies.skill import Skill
from lampwork.models.ask import LanguageModel
from lampwork.models.resolve import resolve

__all__ = ["Cast"]


class Cast:
    """Each genie as it is defined."""

    def __init__(self, override: str | None = None) -> None:
        """`override` is a model id that stands in for every genie's own, as LAMPWORK_MODEL is."""
        self._override = override

    def model_of(self, genie: Genie) -> LanguageModel:
        """The model that replies for a genie."""
        return resolve(genie.model, self._override)

    def skills_of(self, genie: Genie) -> Sequence[Skill[..., Any]]:
        """What a genie may call."""
        return genie.skills
