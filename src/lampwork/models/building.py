"""From a `Model` to pydantic-ai's object for it, opened once per event loop."""

from __future__ import annotations

import asyncio
import difflib
import inspect
import os
import re
import weakref
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai import exceptions as api
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.models import infer_model, known_model_names
from pydantic_ai.providers import infer_provider_class
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from lampwork.errors import ModelError, ModelKeyMissing, ModelUnknown
from lampwork.models.resolve import Model, no_model

__all__ = ["build", "close", "is_open", "opened"]

_open: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Any, ProviderModel]] = (
    weakref.WeakKeyDictionary()
)
"""The models in use, by event loop, because a connection belongs to the loop that opened it."""

_OPENAI = ("openai", "openai-chat", "openai-responses")


async def opened(model: Model | ProviderModel) -> ProviderModel:
    """pydantic-ai's object, with its connections. Raises ModelUnknown, ModelKeyMissing."""
    models = _open.setdefault(asyncio.get_running_loop(), {})
    key = _key(model)
    if key not in models:
        models[key] = made = build(model)
        await made.__aenter__()
    return models[key]


def is_open(model: Model | ProviderModel) -> bool:
    """Whether the running event loop uses it already."""
    try:
        return _key(model) in _open.get(asyncio.get_running_loop(), {})
    except RuntimeError:
        return False


async def close() -> None:
    """Close what this event loop has opened."""
    for model in _open.pop(asyncio.get_running_loop(), {}).values():
        await model.__aexit__(None, None, None)


def _key(model: Model | ProviderModel) -> Any:
    if not isinstance(model, Model):
        return id(model)
    return model.id, model.base_url, model.key_env, os.environ.get(model.key_env or "")


def build(model: Model | ProviderModel) -> ProviderModel:
    """pydantic-ai's object, without any request. Raises ModelUnknown, ModelKeyMissing."""
    if isinstance(model, ProviderModel):
        return model
    if not isinstance(model, Model):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelUnknown(no_model(model))
    try:
        if model.base_url is not None:
            return infer_model(model.id, _elsewhere(model, model.base_url))
        if model.key_env is not None:
            return infer_model(model.id, _with_key(model))
        return infer_model(model.id)
    except ImportError as error:
        raise ModelUnknown(f'Model "{model.id}" needs another package. {error}.') from error
    except (api.UserError, ValueError) as error:
        raise _refusal(model, error) from error
    except Exception as error:
        # A variable that is set and empty is refused by the provider's package, in its own way.
        if isinstance(refusal := _refusal(model, error), ModelKeyMissing):
            raise refusal from error
        raise


def _elsewhere(model: Model, base_url: str) -> Callable[[str], Any]:
    """The provider's protocol at another address, with no key but the one that is meant for it."""
    if model.id.endswith(":"):
        raise ModelUnknown(f'Model("{model.id}", base_url=…) names no model of that server.')
    key = _key_of(model) if model.key_env else None

    def provider(name: str) -> Any:
        if name in _OPENAI:
            service = urlsplit(base_url).netloc or base_url
            return OpenAICompatibleProvider(service, base_url=base_url, api_key=key)
        kind: Any = infer_provider_class(name)
        takes = inspect.signature(kind).parameters
        if not {"base_url", "api_key"} <= takes.keys():
            raise ModelUnknown(
                f'Model("{model.id}", base_url=…): "{name}" has one address. Another server is '
                "named by the protocol it speaks: openai-chat:<model> (chat completions), "
                "openai:<model> (responses), anthropic:<model> or google:<model>."
            )
        # Without one they would take the key of the real provider from the environment.
        return kind(base_url=base_url, api_key=key or "no-key")

    return provider


def _with_key(model: Model) -> Callable[[str], Any]:
    key = _key_of(model)

    def provider(name: str) -> Any:
        kind: Any = infer_provider_class(name)
        return kind(api_key=key)

    return provider


def _key_of(model: Model) -> str:
    key = os.environ.get(model.key_env or "")
    if not key:
        raise _key_missing(model, model.key_env or "")
    return key


def _refusal(model: Model, error: Exception) -> ModelError:
    variable = re.search(r"`([A-Z][A-Z0-9_]*(?:KEY|TOKEN)[A-Z0-9_]*)`", str(error))
    if variable and "environment variable" in str(error):
        return _key_missing(model, variable[1])
    by = " LAMPWORK_MODEL names it, for all genies." if _is_stand_in(model) else ""
    return ModelUnknown(
        f'Model "{model.id}" is unknown: {_meant(model.id) or str(error).rstrip(".?") + "."}{by} '
        "Name it <provider>:<model>, such as openai:gpt-5.2; a compatible server is "
        'Model("openai-chat:<model>", base_url=…).'
    )


def _is_stand_in(model: Model) -> bool:
    return model == Model(os.environ.get("LAMPWORK_MODEL") or "")


def _meant(model_id: str) -> str | None:
    """What is wrong with a provider's name that is nearly one.

    pydantic-ai compares whole ids, and may name another provider's model.
    """
    provider, colon, name = model_id.partition(":")
    providers = {each.partition(":")[0] for each in known_model_names()}
    near = difflib.get_close_matches(provider, sorted(providers), n=1, cutoff=0.8)
    if not colon or provider in providers or not near:
        return None
    return f'there is no provider "{provider}". Did you mean "{near[0]}:{name}"?'


def _key_missing(model: Model, variable: str) -> ModelKeyMissing:
    return ModelKeyMissing(
        f'Model "{model.id}" needs a key: set {variable} in the environment, '
        "or give the genie a playbook.",
        key_env=variable,
    )
