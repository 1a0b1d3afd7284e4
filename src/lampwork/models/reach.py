"""Whether a provider answers and takes the key, by the cheapest request that can tell.

That is the page of the model, which costs nothing: the request carries the key, and its status
says what the next real request would come to. Where there is no such page, a connection is all
that is tried. Nothing is tried twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.settings import ModelSettings

from lampwork.models import building
from lampwork.models.provider import OneModel
from lampwork.models.resolve import Model

__all__ = ["Reached", "reach"]

WITHIN = 5.0
"""Seconds for the page of a model."""

ANSWERED_WITHIN = 60.0
"""Seconds for a real request."""

_KEYS = {
    "openai": "OPENAI_API_KEY",
    "openai-chat": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GOOGLE_API_KEY",
}
"""Where pydantic-ai finds the key of a provider, for the wires that are tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What came of trying to reach a model."""

    service: str | None
    """The host; None of a model that says no address, such as one made of code."""
    own_service: bool
    """Whether it is the provider's, so that a model it does not know does not exist."""
    key_env: str | None
    """The environment variable of the key that was sent, where it is known."""
    status: int | None
    """Of the response; None if there was none, or none was asked for."""
    error: str | None
    """Why there was no response."""
    seconds: float
    tokens: int | None = None
    """What a real request took."""
    ahead: float | None = None
    """Seconds by which the clock here is before the service's."""


async def reach(one: OneModel, *, ask: bool) -> Reached:
    """Try to reach a model; with `ask`, by a request that costs some tokens.

    Raises ModelUnknown, ModelKeyMissing.
    """
    model = await building.opened(one.model)
    began = time.perf_counter()
    status = error = tokens = headers = None
    try:
        async with asyncio.timeout(ANSWERED_WITHIN if ask else WITHIN):
            if ask:
                tokens = await _ask(model, one)
                status = 200
            else:
                status, headers = await _look(model)
    except TimeoutError:
        error = f"no answer within {ANSWERED_WITHIN if ask else WITHIN:g} s"
    except Exception as raised:  # whatever a provider's library raises
        status, headers = _status(raised), _headers(raised)
        error = None if status else _root(raised)
    return Reached(
        service=urlsplit(model.base_url or "").netloc or None,
        own_service=isinstance(one.model, Model) and one.model.base_url is None,
        key_env=_key_env(one.model),
        status=status,
        error=error,
        seconds=time.perf_counter() - began,
        tokens=tokens,
        ahead=_ahead(headers),
    )


async def _look(model: ProviderModel) -> tuple[int | None, Mapping[str, str] | None]:
    """Ask for the model's page; of a service without one, connect."""
    client: Any = getattr(model, "client", None)
    if hasattr(client, "with_options"):  # OpenAI's and Anthropic's libraries
        pages = client.with_options(max_retries=0).models.with_raw_response
        response = await pages.retrieve(model.model_name)
        return response.status_code, response.headers
    if hasattr(client, "aio"):  # Google's
        await client.aio.models.get(model=model.model_name)
        return 200, None
    address = urlsplit(model.base_url or "")
    if address.hostname is not None:
        secure = address.scheme != "http"
        port = address.port or (443 if secure else 80)
        _, writer = await asyncio.open_connection(address.hostname, port, ssl=secure)
        writer.close()
    return None, None


async def _ask(model: ProviderModel, one: OneModel) -> int:
    """One small request; the tokens that it took."""
    settings: dict[str, Any] = {**one.settings, "max_tokens": 64}
    if "max_retries" not in model.unsupported_settings:
        settings["max_retries"] = 0
    messages = [ModelRequest.user_text_prompt("Reply with the word: yes")]
    response = await model_request(model, messages, model_settings=ModelSettings(**settings))
    return response.usage.total_tokens


def _key_env(model: Model | ProviderModel) -> str | None:
    if not isinstance(model, Model):
        return None
    if model.key_env is not None or model.base_url is not None:
        return model.key_env
    return _KEYS.get(model.id.partition(":")[0])


def _status(error: Exception) -> int | None:
    """The status of the response that an error is about."""
    for name in ("status_code", "code"):
        if isinstance(found := getattr(error, name, None), int):
            return found
    return None


def _headers(error: Exception) -> Mapping[str, str] | None:
    return getattr(getattr(error, "response", None), "headers", None)


def _ahead(headers: Mapping[str, str] | None) -> float | None:
    try:
        there = parsedate_to_datetime((headers or {})["date"])
    except (KeyError, ValueError):
        return None
    return (datetime.now(UTC) - there.astimezone(UTC)).total_seconds()


def _root(error: BaseException) -> str:
    """What an error comes down to: the one that the operating system gave, if there is one."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return (str(error) or type(error).__name__).rstrip(".")
