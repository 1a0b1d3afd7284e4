"""Rates at providers: what a response took is counted, and what a refusal says counts for all."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from lampwork import Model, RateLimit
from lampwork.models import resolve

from ..support import rows
from .wires import EACH_WIRE, METADATA, genie, model_at, project, says

USAGE = {"input_tokens": 1000, "output_tokens": 200}


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`limited(url, …)`: the rates of the project at this server."""

    def limit(url: str, **limits: int) -> str:
        host = urlsplit(url).netloc
        monkeypatch.setattr(project, "rate_limits", {host: RateLimit(**limits)})
        return host

    return limit


async def assign(app: Any, model: Model) -> Any:
    return await app.assign_task(genie(model), "Check the invoice.", metadata=METADATA)


@EACH_WIRE
async def test_a_refusal_that_says_when_to_come_back_closes_the_rate_for_all(
    aimock, tmp_path, pauses, wire, limited
):
    refused = says("Lost.", 0) | {"chaos": {"rateLimitRate": 1}}
    server = aimock(refused, says("All is well.", 1), wire=wire)
    host = limited(server.url, requests_per_minute=600)
    async with project.open(tmp_path / "home") as app:
        began = time.time()
        answer = await assign(app, model_at(server.url, wire))
        ended = time.time()
        [(name, requests_at, closed_until)] = await rows(
            app, "select name, requests_at, closed_until from rates"
        )
    assert (answer.response, len(server.sent), name) == ("All is well.", 2, host)
    assert began + 1 <= closed_until <= ended  # as aimock's `Retry-After` says
    assert requests_at >= closed_until + 60 - 0.1  # from then on one by one


@EACH_WIRE
async def test_the_tokens_of_a_response_are_counted_against_the_rate(
    aimock, tmp_path, wire, limited
):
    server = aimock(says("All is well.", usage=USAGE), wire=wire)
    limited(server.url, tokens_per_minute=1200)
    async with project.open(tmp_path / "home") as app:
        began = time.time()
        await assign(app, model_at(server.url, wire))
        ended = time.time()
        [(tokens_at,)] = await rows(app, "select tokens_at from rates")
    assert began + 60 <= tokens_at <= ended + 60


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("openai:gpt-5.2", ("openai", "openai:gpt-5.2")),
        ("openai-chat:gpt-5.2", ("openai", "openai-chat:gpt-5.2")),
        ("anthropic:claude-sonnet-4-5", ("anthropic", "anthropic:claude-sonnet-4-5")),
        (
            Model("openai-chat:llama", base_url="http://llm.internal:8000/v1"),
            ("llm.internal:8000", "openai-chat:llama"),
        ),
        (Model("openai:gpt-5.2", fallbacks=("google:gemini",)), ("openai", "openai:gpt-5.2")),
    ],
)
def test_a_model_is_limited_by_its_provider_or_host_and_by_its_id(model, names):
    assert resolve(model).paced_as == names
