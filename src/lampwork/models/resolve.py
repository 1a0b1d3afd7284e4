"""From what `model=` names to something that can reply."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lampwork.errors import InputInvalid
from lampwork.models.ask import LanguageModel
from lampwork.models.playbook import Playbook
from lampwork.models.price import Price

__all__ = ["Model", "Playbook", "close", "is_model", "named", "no_model", "resolve"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model with more to say than its id: `Model("openai:gpt-5.2", settings={"temperature": 0})`.

    `id` is one that pydantic-ai knows. `base_url` is that of another server that speaks the
    provider's protocol (`openai-chat:` for chat completions); such a server gets a key only if
    `key_env` names the environment variable that holds it. `settings` are pydantic-ai's
    ModelSettings. `fallbacks` are asked in their order when this model has failed; each comes with
    its own address, key, settings and price. `price` is what it costs, where pydantic-ai's price
    list does not know it or knows better: at a `base_url` nothing is known. `sees=False` says that
    it takes no images, where pydantic-ai does not know.
    """

    id: str
    base_url: str | None = None
    key_env: str | None = None
    settings: Mapping[str, Any] | None = None
    fallbacks: tuple[str | Model, ...] = ()
    price: Price | None = None
    sees: bool = True

    def __post_init__(self) -> None:
        given: Any = self.fallbacks
        if isinstance(given, str):
            raise InputInvalid(
                f'Model("{self.id}", fallbacks="{given}"): give a tuple of ids, ("{given}",).'
            )
        object.__setattr__(self, "fallbacks", tuple(given))

    def __hash__(self) -> int:
        return hash((self.id, self.base_url, self.key_env))


def is_model(given: Any) -> bool:
    """Whether something is of a kind that `named` takes; whoever has one of pydantic-ai's models
    has imported it."""
    theirs = sys.modules.get("pydantic_ai.models")
    return isinstance(given, str | Model | Playbook) or (
        theirs is not None and isinstance(given, theirs.Model)
    )


def no_model(given: Any, argument: str = "model") -> str:
    """Why something that was given as a model is none, and what to give."""
    if inspect.isroutine(given):
        return (
            f"{argument}={given.__name__} is a plain function. Decorate it with @playbook, "
            "so that it can play a genie."
        )
    return (
        f"{argument}={given!r} is no model. "
        "Pass an id such as openai:gpt-5.2, Model(…) or a playbook."
    )


def resolve(model: str | Model | Playbook, override: str | None = None) -> LanguageModel:
    """The model that replies: `override`, else LAMPWORK_MODEL, else what the genie names.

    Nothing is asked of anyone yet; `check()` on the result says whether it can be.
    """
    override = override or os.environ.get("LAMPWORK_MODEL")
    return named(Model(override) if override else model)


def named(model: str | Model | Playbook) -> LanguageModel:
    """The model that is named, whatever LAMPWORK_MODEL says."""
    if isinstance(model, Playbook):
        return model
    from lampwork.models import provider  # imports pydantic-ai, 0.4 s that a playbook saves

    return provider.of(Model(model) if isinstance(model, str) else model)


async def close() -> None:
    """Close the connections to providers that this event loop has opened."""
    if (provider := sys.modules.get("lampwork.models.provider")) is not None:
        await provider.close()
