"""What a task makes of providers that fail, by aimock's chaos switches."""

from __future__ import annotations

from typing import Any

import pytest

from lampwork.errors import JobFailed, ModelUnavailable
from lampwork.models import Told, provider, resolve

from .wires import EACH_WIRE, METADATA, Verdict, ask, asks, fails, genie, model_at, project, says

CHAOS = {
    "rateLimitRate": {"ModelRateLimitError"},
    "dropRate": {"ModelServerError"},
    "disconnectRate": {"ModelConnectionError"},
    "malformedRate": {"ModelAPIError", "UnexpectedModelBehavior"},
}
"""aimock's switches, and what pydantic-ai makes of them."""

EACH_CHAOS = pytest.mark.parametrize("chaos", CHAOS)


async def assign(tmp_path, model: Any, **inputs: Any) -> Any:
    async with project.open(tmp_path / "home") as app:
        return await app.assign_task(
            genie(model), "Check the invoice.", metadata=METADATA, **inputs
        )


async def failure(tmp_path, model: Any) -> dict[str, Any]:
    with pytest.raises(JobFailed) as raised:
        await assign(tmp_path, model)
    return raised.value.error


@EACH_WIRE
@EACH_CHAOS
async def test_a_provider_that_fails_in_a_moment_is_asked_again(
    aimock, tmp_path, pauses, wire, chaos
):
    server = aimock(
        says("Lost.", 0) | {"chaos": {chaos: 1}},
        asks(1, ("answer", {"status": "approved", "reason": "it matches"})),
        wire=wire,
    )

    answer = await assign(tmp_path, model_at(server.url, wire), output=Verdict)

    assert answer.output == Verdict(status="approved", reason="it matches")
    assert answer.usage["requests"] == len(server.sent) == 2
    if chaos == "rateLimitRate":
        assert pauses == [1.0]  # as aimock's `Retry-After` says
    else:
        assert 0.25 <= pauses[0] <= 0.75


@EACH_WIRE
@EACH_CHAOS
async def test_a_provider_that_keeps_failing_is_asked_three_times_in_all(
    aimock, tmp_path, pauses, wire, chaos
):
    server = aimock(says("Lost.") | {"chaos": {chaos: 1}})

    error = await failure(tmp_path, model_at(server.url, wire))

    assert error["code"] == "model_unavailable"
    assert error["fields"]["attempts"] == len(server.sent) == 3
    assert error["fields"]["error_type"] in CHAOS[chaos]
    assert len(pauses) == 2


@EACH_WIRE
async def test_a_request_that_is_refused_is_not_repeated(aimock, tmp_path, wire):
    server = aimock(fails(400, "temperature is deprecated", type="invalid_request_error"))

    error = await failure(tmp_path, model_at(server.url, wire))

    assert error["code"] == "model_unavailable"
    assert error["fields"]["status_code"] == 400
    assert len(server.sent) == 1


@EACH_WIRE
async def test_tries_that_may_have_used_tokens_are_counted(aimock, tmp_path, pauses, wire):
    server = aimock(
        says("Lost.", 0) | {"chaos": {"disconnectRate": 1}},
        says("Lost.", 1) | {"chaos": {"dropRate": 1}},
        says("All is well.", 2),
    )

    usage = (await assign(tmp_path, model_at(server.url, wire))).usage

    assert (usage["requests"], usage["unmeasured_requests"]) == (3, 1)


@EACH_WIRE
@pytest.mark.parametrize("body", ["{}", "[]", '"?"', '{"error": {"message": "?"}}', "<html>"])
@pytest.mark.parametrize("on_text", [None, print], ids=["whole", "streamed"])
async def test_what_is_no_response_is_asked_for_again(canned, pauses, wire, body, on_text):
    url = await canned(("application/json", body))

    with pytest.raises(ModelUnavailable) as raised:
        await resolve(model_at(url, wire)).respond(ask(Told("Check."), on_text=on_text))

    assert raised.value.attempts == 3
    assert raised.value.usage["unmeasured_requests"] == 3


@EACH_WIRE
@pytest.mark.parametrize("setting", ["timeout", "request_timeout"])
@pytest.mark.parametrize("on_text", [None, print], ids=["whole", "streamed"])
async def test_a_provider_that_never_answers_is_given_up(canned, pauses, wire, setting, on_text):
    url = await canned(("application/json", ""))
    model = model_at(url, wire, settings={setting: 0.1})

    with pytest.raises(ModelUnavailable) as raised:
        await resolve(model).respond(ask(Told("Check."), on_text=on_text))

    assert raised.value.attempts == 3
    assert raised.value.error_type in ("ModelTimeoutError", "ModelRequestTimeout")


async def test_every_try_ends_in_ten_minutes_where_nothing_else_is_set(canned, pauses, monkeypatch):
    monkeypatch.setattr(provider, "ANSWERED_WITHIN", 0.1)
    url = await canned(("application/json", ""))

    with pytest.raises(ModelUnavailable) as raised:
        await resolve(model_at(url, "openai-chat")).respond(ask(Told("Check.")))

    assert raised.value.error_type == "ModelRequestTimeout"
