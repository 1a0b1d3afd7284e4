"""Providers' models, by pydantic-ai's model layer: requests, replies, and failures retried."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import pydantic_ai
from pydantic_ai import exceptions as api
from pydantic_ai.direct import model_request
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.models import ModelRequestParameters, infer_model
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from lampwork.errors import ModelError, ModelKeyMissing, ModelUnavailable, ModelUnknown
from lampwork.models import rates
from lampwork.models.ask import Ask, Described, Message, Reply, Requested, Returned, Said, Told
from lampwork.models.price import Price
from lampwork.models.resolve import Model
from lampwork.types import Json

__all__ = ["ProviderDoor", "close", "of"]

_log = logging.getLogger("lampwork.models")

TRIES = 3
"""How often one request is sent at the most."""

FIRST_PAUSE = 0.5
"""Seconds before the second try; doubled for each further one, give or take half."""

LONGEST_PAUSE = 60.0
"""Seconds; a `Retry-After` beyond it is not waited for."""

_WORTH_RETRYING = (
    api.ModelRateLimitError,
    api.ModelUnavailableError,
    api.ModelServerError,
    api.ModelConnectionError,
    api.ModelRequestTimeout,
    api.UnexpectedModelBehavior,
)

_open: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Any, ProviderModel]] = (
    weakref.WeakKeyDictionary()
)
"""The models in use, by event loop, because a connection belongs to the loop that opened it."""


def of(model: Any) -> ProviderDoor:
    """The door to a `Model`, or to a model object of pydantic-ai's own."""
    return ProviderDoor(model)


async def close() -> None:
    """Close what this event loop has opened."""
    for model in _open.pop(asyncio.get_running_loop(), {}).values():
        await model.__aexit__(None, None, None)


class ProviderDoor:
    """One model of one provider."""

    def __init__(self, model: Model | ProviderModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """The id that the genie names."""
        return self.model.id if isinstance(self.model, Model) else self.model.model_id

    @property
    def max_output_tokens(self) -> int | None:
        """The `max_tokens` of its settings."""
        return self._own_settings.get("max_tokens")

    def price(self, input_tokens: int | None = None) -> Price | None:
        """What the model says it costs, else what the price list says."""
        if isinstance(self.model, Model):
            if self.model.price is not None or self.model.base_url is not None:
                return self.model.price
            provider, _, name = self.model.id.partition(":")
        else:
            provider, name = self.model.system, self.model.model_name
        return rates.dearest(provider, name, self._own_settings, input_tokens)

    def check(self) -> None:
        """Raise ModelUnknown or ModelKeyMissing."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            _build(self.model)
            return
        if self._key not in _open.get(loop, {}):
            _build(self.model)

    async def respond(self, ask: Ask) -> Reply:
        """Ask, again after failures that pass. Raises ModelUnavailable."""
        model = await self._opened()
        settings = self._settings(ask)
        messages, parameters = _messages(ask), _parameters(ask)
        for attempt in range(1, TRIES + 1):
            try:
                response = await model_request(
                    model,
                    messages,
                    model_settings=settings,
                    model_request_parameters=parameters,
                )
                return _reply(response, self.name, self._usage(response, attempt))
            except Exception as error:
                pause = _pause(error, attempt)
                if pause is None:
                    raise self._unavailable(error, attempt) from error
                _log.warning("%s failed, next try in %.1f s: %s", self.name, pause, error)
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    @property
    def _key(self) -> Any:
        if not isinstance(self.model, Model):
            return id(self.model)
        return self.model, os.environ.get(self.model.key_env or "")

    async def _opened(self) -> ProviderModel:
        models = _open.setdefault(asyncio.get_running_loop(), {})
        key = self._key
        if key not in models:
            models[key] = model = _build(self.model)
            await model.__aenter__()
        return models[key]

    @property
    def _own_settings(self) -> Mapping[str, Any]:
        return self.model.settings or {}

    def _settings(self, ask: Ask) -> ModelSettings:
        # One layer retries, ours: the SDK's own retries would multiply with it.
        settings: dict[str, Any] = {"max_retries": 0, **self._own_settings}
        limits = [each for each in (ask.max_output_tokens, self.max_output_tokens) if each]
        if limits:
            settings["max_tokens"] = min(limits)
        return ModelSettings(**settings)

    def _usage(self, response: ModelResponse, attempts: int) -> dict[str, int]:
        used = response.usage
        usage = {
            "requests": attempts,
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
        }
        for name in ("cache_read_tokens", "cache_write_tokens"):
            if count := getattr(used, name):
                usage[name] = count
        if used.unmeasured_requests:
            return usage | {"unmeasured_requests": 1, "unpriced_requests": 1}
        cost = self._cost(response)
        return usage | ({"unpriced_requests": 1} if cost is None else {"cost_nanodollars": cost})

    def _cost(self, response: ModelResponse) -> int | None:
        if isinstance(self.model, Model):
            if self.model.price is not None:
                used = response.usage
                counts = used.input_tokens, used.output_tokens, used.cache_read_tokens
                return self.model.price.cost(*counts)
            if self.model.base_url is not None:
                return None
        return rates.charged(response)

    def _unavailable(self, error: Exception, attempts: int) -> ModelUnavailable:
        _log.error("%s is unavailable", self.name, exc_info=error)
        times = "once" if attempts == 1 else f"{attempts} times"
        return ModelUnavailable(
            f"{self.name} was asked {times} and did not answer usefully: "
            f"{type(error).__name__}: {error}",
            model=self.name,
            attempts=attempts,
            error_type=type(error).__name__,
            status_code=getattr(error, "status_code", None),
        )


def _pause(error: Exception, attempt: int) -> float | None:
    """Seconds until the next try, None if there should be none."""
    if attempt == TRIES or not isinstance(error, _WORTH_RETRYING):
        return None
    asked = getattr(error, "retry_after", None)
    if asked is not None:
        return asked if asked <= LONGEST_PAUSE else None
    return FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)


# --- finding the model ---


def _build(model: Model | ProviderModel) -> ProviderModel:
    """pydantic-ai's object. Raises ModelUnknown, ModelKeyMissing."""
    if isinstance(model, ProviderModel):
        return model
    if not isinstance(model, Model):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelUnknown(
            f"model={model!r} is no model. "
            "Pass an id such as openai:gpt-5.2, Model(…) or a playbook."
        )
    try:
        if model.base_url is not None:
            return _compatible(model, model.base_url)
        if model.key_env is not None:
            return _with_key(model)
        return infer_model(model.id)
    except ImportError as error:
        raise ModelUnknown(f'Model "{model.id}" needs another package. {error}.') from error
    except (api.UserError, ValueError) as error:
        raise _refusal(model, error) from error


def _compatible(model: Model, base_url: str) -> ProviderModel:
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

    kind, _, name = model.id.partition(":")
    kinds: dict[str, type[OpenAIChatModel | OpenAIResponsesModel]] = {
        "openai-chat": OpenAIChatModel,
        "openai": OpenAIResponsesModel,
        "openai-responses": OpenAIResponsesModel,
    }
    if kind not in kinds or not name:
        raise ModelUnknown(
            f'Model("{model.id}", base_url=…): a server of one\'s own is named openai-chat:<model> '
            "(chat completions) or openai:<model> (responses)."
        )
    key = _key_of(model) if model.key_env else None
    service = urlsplit(base_url).netloc or base_url
    provider = OpenAICompatibleProvider(service, base_url=base_url, api_key=key)
    return kinds[kind](name, provider=provider)


def _with_key(model: Model) -> ProviderModel:
    from pydantic_ai.providers import infer_provider_class

    key = _key_of(model)

    def provider(name: str) -> Any:
        kind: Any = infer_provider_class(name)
        return kind(api_key=key)

    return infer_model(model.id, provider)


def _key_of(model: Model) -> str:
    key = os.environ.get(model.key_env or "")
    if not key:
        raise _key_missing(model, model.key_env or "")
    return key


def _refusal(model: Model, error: Exception) -> ModelError:
    variable = re.search(r"`([A-Z][A-Z0-9_]*(?:KEY|TOKEN)[A-Z0-9_]*)`", str(error))
    if variable and "environment variable" in str(error):
        return _key_missing(model, variable[1])
    return ModelUnknown(
        f'Model "{model.id}" is unknown: {str(error).rstrip(".?")}. '
        "It was named by the genie, or by LAMPWORK_MODEL, which stands in for all of them. "
        "Name it <provider>:<model>, such as openai:gpt-5.2; a compatible server is "
        'Model("openai-chat:<model>", base_url=…).'
    )


def _key_missing(model: Model, variable: str) -> ModelKeyMissing:
    return ModelKeyMissing(
        f'Model "{model.id}" needs a key: set {variable} in the environment, '
        "or give the genie a playbook.",
        key_env=variable,
    )


# --- the request ---


def _parameters(ask: Ask) -> ModelRequestParameters:
    if ask.text_ends:
        # In this mode pydantic-ai sends no output tools, so declining is a function among others.
        return ModelRequestParameters(function_tools=list(map(_tool, (*ask.skills, *ask.endings))))
    return ModelRequestParameters(
        function_tools=[_tool(each) for each in ask.skills],
        output_tools=[_tool(each, kind="output") for each in ask.endings],
        output_mode="tool",
        allow_text_output=False,
    )


def _tool(described: Described, kind: Any = "function") -> ToolDefinition:
    return ToolDefinition(
        name=described.name,
        parameters_json_schema=described.parameters,
        description=described.description or None,
        kind=kind,
    )


def _messages(ask: Ask) -> list[ModelMessage]:
    """The conversation in pydantic-ai's types; what comes between two responses is one request."""
    messages: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    for message in ask.messages:
        if isinstance(message, Said):
            if parts:
                messages.append(ModelRequest(parts))
                parts = []
            messages.append(_parsed(message))
        else:
            parts.append(_part(message))
    # Only the last request's instructions count, and they are those of the genie that works now.
    messages.append(ModelRequest(parts, instructions=ask.job_description or None))
    return messages


def _parsed(said: Said) -> ModelResponse:
    if said.parsed is None:
        said.parsed = ModelMessagesTypeAdapter.validate_python([said.raw])[0]
    return said.parsed


def _part(message: Message) -> ModelRequestPart:
    match message:
        case Told(text):
            return UserPromptPart(text)
        case Returned(call_id, name, content, failed):
            text = content if isinstance(content, str) else _compact(content)
            # As text: a result that looks like one of pydantic-ai's file parts stays what it is.
            return ToolReturnPart(name, text, call_id, outcome="failed" if failed else "success")
        case Said():
            raise AssertionError("a response is no part of a request")


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- the reply ---


def _reply(response: ModelResponse, name: str, usage: dict[str, int]) -> Reply:
    text = "\n".join(p.content for p in response.parts if isinstance(p, TextPart) and p.content)
    calls = tuple(
        Requested(part.tool_call_id, part.tool_name, cast(Any, part.args))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    )
    return Reply(
        text,
        calls,
        _raw(response),
        response.model_name or name,
        usage,
        truncated=response.finish_reason == "length",
    )


def _raw(response: ModelResponse) -> dict[str, Json]:
    """The response's own JSON without the fields that say nothing, which are two thirds of it."""
    raw: dict[str, Json] = ModelMessagesTypeAdapter.dump_python([response], mode="json")[0]
    raw = _said(raw.items())
    raw["parts"] = [_said(part.items()) for part in raw["parts"]]
    raw["usage"] = {key: value for key, value in raw["usage"].items() if value}
    raw["pydantic_ai"] = pydantic_ai.__version__
    return raw


def _said(items: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    return {key: value for key, value in items if value is not None}
