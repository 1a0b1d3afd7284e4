"""Models: found by name before anything is asked, asked with what they may see, retried."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from pydantic_ai import exceptions as api
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from lampwork import Metadata
from lampwork.errors import InputInvalid, ModelKeyMissing, ModelUnavailable, ModelUnknown
from lampwork.models import (
    Answer,
    Call,
    Model,
    Turn,
    building,
    close,
    playbook,
    provider,
    reply,
    resolve,
)


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]


def genie_of(desk, model: Any, skills: Any = (), name: str = "clerk"):
    return desk.project.genie(name, model=model, job_description="You check.", skills=skills)


@pytest.fixture(autouse=True)
async def _closed_models():
    yield
    await close()


@pytest.fixture
def approve(desk):
    @desk.project.skill(effect="idempotent")
    async def approve(note: str, invoice_id: Metadata[str]) -> dict[str, str]:
        """Approve the invoice."""
        return {"approved": "yes"}

    return approve


class Scripted:
    """A provider's model that replies from a list and remembers what it was asked."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[list[ModelMessage], AgentInfo]] = []
        self.model = FunctionModel(self._reply, model_name="scripted")

    def _reply(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.asked.append((list(messages), info))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def response(*parts: Any) -> ModelResponse:
    return ModelResponse(list(parts), usage=RequestUsage(input_tokens=10, output_tokens=2))


async def test_a_providers_model_is_asked_with_skills_and_an_output_tool_and_no_metadata(
    desk, approve
):
    scripted = Scripted(
        response(
            ThinkingPart("hm", signature="sig-1"),
            ToolCallPart("approve", '{"note": "ok"}', "call-1"),
        ),
        response(ToolCallPart("answer", {"status": "approved"}, "call-2")),
    )
    answer = await desk.assign(
        genie_of(desk, scripted.model, [approve]),
        "Check.",
        metadata={"invoice_id": "CANARY-1"},
        output=Verdict,
    )

    assert answer.output == Verdict(status="approved")
    assert answer.usage == {
        "requests": 2,
        "input_tokens": 20,
        "output_tokens": 4,
        "unpriced_requests": 2,
    }
    (first, info), (second, _) = scripted.asked
    assert [tool.name for tool in info.function_tools] == ["approve"]
    assert [tool.name for tool in info.output_tools] == ["answer", "cannot_complete"]
    assert not info.allow_text_output
    assert info.function_tools[0].parameters_json_schema["properties"].keys() == {"note"}
    assert "CANARY-1" not in repr(scripted.asked)
    assert "invoice_id" not in repr(scripted.asked)
    assert isinstance(first[0], ModelRequest)
    assert str(first[0].instructions).startswith("You check.\n\nResults of skills")
    assert [part.content for part in first[0].parts] == ["Check."]
    assert second[1].parts == (
        [ThinkingPart("hm", signature="sig-1"), ToolCallPart("approve", '{"note": "ok"}', "call-1")]
    )
    returned = second[2].parts[0]
    assert isinstance(returned, ToolReturnPart)
    assert (returned.tool_call_id, returned.content) == ("call-1", '{"approved":"yes"}')


async def test_a_text_task_lets_the_model_answer_in_text(desk):
    scripted = Scripted(response(TextPart("Fine.")))

    answer = await desk.assign(genie_of(desk, scripted.model))

    assert answer.output == "Fine."
    assert scripted.asked[0][1].allow_text_output
    assert [tool.name for tool in scripted.asked[0][1].function_tools] == ["cannot_complete"]


async def test_what_is_wrong_with_an_answer_goes_back_as_the_result_of_its_call(desk):
    scripted = Scripted(
        response(ToolCallPart("answer", {"status": "maybe"}, "call-1")),
        response(TextPart("So?")),
        response(ToolCallPart("answer", {"status": "flagged"}, "call-2")),
    )

    await desk.assign(genie_of(desk, scripted.model), output=Verdict)

    wrong, text = scripted.asked[1][0][-1].parts[0], scripted.asked[2][0][-1].parts[0]
    assert isinstance(wrong, ToolReturnPart)
    assert (wrong.outcome, wrong.tool_call_id) == ("failed", "call-1")
    assert "status: Input should be 'approved' or 'flagged'" in str(wrong.content)
    assert isinstance(text, UserPromptPart)
    assert "by calling `answer`" in str(text.content)


async def test_a_real_model_goes_on_from_a_playbooks_conversation(desk, approve):
    @playbook
    def clerk(turn: Turn):
        return Call("approve", note="ok") if turn.number == 1 else Answer("Approved.")

    await desk.assign(genie_of(desk, clerk, [approve]), metadata={"invoice_id": "1"})
    scripted = Scripted(response(TextPart("Because.")))
    answer = await desk.assign(
        genie_of(desk, scripted.model, name="next"), "Why?", job="j2", conversation="c1.1"
    )

    assert answer.output == "Because."
    messages = scripted.asked[0][0]
    assert [type(message) for message in messages] == [ModelRequest, ModelResponse] * 2 + [
        ModelRequest
    ]
    assert messages[1].model_name == "playbook:clerk"
    assert str(messages[-1].instructions).startswith("You check.")


async def test_a_response_is_stored_without_its_empty_fields_and_read_back_the_same():
    given = ModelResponse(
        [ToolCallPart("f", {"a": None}, "call-1"), TextPart("x")],
        usage=RequestUsage(input_tokens=3),
        model_name="m",
        provider_details={"left": None},
    )

    raw = reply.raw_of(given)

    assert raw["parts"][0]["args"] == {"a": None}
    assert "provider_name" not in raw["parts"][0]
    assert ModelMessagesTypeAdapter.validate_python([raw])[0] == given


# --- failures ---


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(provider, "FIRST_PAUSE", 0)


def http(status: int, **fields: Any) -> api.ModelHTTPError:
    kinds = {
        429: api.ModelRateLimitError,
        500: api.ModelServerError,
        400: api.ModelRequestRejectedError,
    }
    return api.ModelHTTPError.for_category(
        kinds[status], status_code=status, model_name="scripted", **fields
    )


@pytest.mark.parametrize(
    "failure",
    [
        http(429),
        http(500),
        api.ModelConnectionError("m", "reset"),
        api.UnexpectedModelBehavior("?"),
        api.ModelAPIError("m", "no JSON"),
        TypeError("no list"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_a_failure_that_passes_is_tried_again(desk, no_pause, failure):
    scripted = Scripted(failure, failure, response(TextPart("Fine.")))

    answer = await desk.assign(genie_of(desk, scripted.model))

    assert answer.output == "Fine."
    assert answer.usage["requests"] == 3


async def test_a_failure_that_stays_ends_the_task_after_three_tries(desk, no_pause):
    scripted = Scripted(*[http(500)] * 4)

    with pytest.raises(ModelUnavailable) as raised:
        await desk.assign(genie_of(desk, scripted.model))

    assert (raised.value.attempts, raised.value.status_code) == (3, 500)
    assert len(scripted.asked) == 3


@pytest.mark.parametrize("failure", [http(400), http(429, retry_after=3600.0), api.UserError("?")])
async def test_a_failure_that_will_not_pass_is_not_tried_again(desk, no_pause, failure):
    scripted = Scripted(failure, response(TextPart("Fine.")))

    with pytest.raises(ModelUnavailable) as raised:
        await desk.assign(genie_of(desk, scripted.model))

    assert raised.value.attempts == 1


async def test_retry_after_is_honoured(desk, monkeypatch):
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(provider, "sleep", pause)
    scripted = Scripted(http(429, retry_after=7.0), http(500), response(TextPart("Fine.")))

    await desk.assign(genie_of(desk, scripted.model))

    assert pauses[0] == 7.0
    assert 0.5 <= pauses[1] <= 1.5


# --- finding the model ---


@pytest.fixture
def no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MY_KEY", "LAMPWORK_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("gpt-5.2", "Unknown model: gpt-5.2"),
        ("nowhere:gpt", "Unknown model: nowhere:gpt"),
        ("mistral:mistral-large", "needs another package"),
        (Model("bedrock:x", base_url="http://localhost:1"), "needs another package"),
        (Model("deepseek:x", base_url="http://localhost:1"), "openai-chat:<model>"),
        (Model("nowhere:x", base_url="http://localhost:1"), "Unknown provider: nowhere"),
        (Model("x", base_url="http://localhost:1"), "Unknown model: x"),
        (Model("openai-chat:", base_url="http://localhost:1"), "names no model"),
        (42, "is no model"),
        (sorted, "sorted is a plain function. Decorate it with @playbook"),
        ("opnai:gpt-5.2", r"no provider \"opnai\"\. Did you mean \"openai:gpt-5.2\"\?"),
    ],
)
def test_an_unknown_model_is_refused_before_any_request(no_keys, model, says):
    with pytest.raises(ModelUnknown, match=says):
        resolve(model).check()


def test_an_unknown_model_is_said_to_come_from_the_environment_only_if_it_does(
    no_keys, monkeypatch
):
    monkeypatch.setenv("LAMPWORK_MODEL", "opnai:gpt-5.2")

    with pytest.raises(ModelUnknown, match="LAMPWORK_MODEL names it, for all genies") as found:
        resolve("openai:gpt-5.2").check()
    monkeypatch.delenv("LAMPWORK_MODEL")
    with pytest.raises(ModelUnknown) as named:
        resolve("opnai:gpt-5.2").check()

    assert "snowflake" not in found.value.message
    assert "LAMPWORK_MODEL" not in named.value.message


@pytest.mark.parametrize(
    ("model", "key_env"),
    [
        ("openai:gpt-5.2", "OPENAI_API_KEY"),
        ("openai-chat:gpt-5.2", "OPENAI_API_KEY"),
        ("deepseek:deepseek-chat", "DEEPSEEK_API_KEY"),
        (Model("openai:gpt-5.2", key_env="MY_KEY"), "MY_KEY"),
        (Model("openai-chat:x", base_url="http://localhost:1", key_env="MY_KEY"), "MY_KEY"),
    ],
)
async def test_a_missing_key_is_named_before_any_request(no_keys, model, key_env):
    with pytest.raises(ModelKeyMissing) as raised:
        resolve(model).check()

    assert raised.value.key_env == key_env
    assert f"set {key_env} in the environment" in raised.value.message


async def test_a_key_that_is_set_and_empty_is_missing(no_keys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "")

    with pytest.raises(ModelKeyMissing, match="set OPENAI_API_KEY in the environment"):
        resolve("openai:gpt-5.2").check()


def test_a_fallback_whose_key_is_missing_is_named_before_it_is_needed(no_keys, monkeypatch):
    monkeypatch.setenv("MY_KEY", "mine")
    model = Model("openai:gpt-5.2", key_env="MY_KEY", fallbacks=("deepseek:deepseek-chat",))

    with pytest.raises(ModelKeyMissing) as raised:
        resolve(model).check()

    assert raised.value.key_env == "DEEPSEEK_API_KEY"


def test_fallbacks_of_fallbacks_are_asked_after_them_each_once():
    last = Model("openai:c", fallbacks=("openai:a",))
    model = Model("openai:a", fallbacks=[Model("openai:b", fallbacks=[last]), "openai:d"])

    assert [each.name for each in resolve(model).models] == [
        "openai:a",
        "openai:b",
        "openai:c",
        "openai:d",
    ]


def test_one_id_is_no_list_of_fallbacks():
    with pytest.raises(InputInvalid, match=r'give a tuple of ids, \("openai:b",\)'):
        Model("openai:a", fallbacks="openai:b")  # type: ignore[arg-type]


async def test_a_missing_key_fails_the_assignment_before_anything_happens(desk, no_keys):
    with pytest.raises(ModelKeyMissing):
        await desk.assign(genie_of(desk, "openai:gpt-5.2"))

    assert await desk.entries() == []


async def test_a_compatible_server_gets_only_the_key_that_is_meant_for_it(monkeypatch, no_keys):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-yours")
    monkeypatch.setenv("MY_KEY", "mine")

    bare = await building.opened(Model("openai-chat:m", base_url="http://localhost:1"))
    keyed = await building.opened(
        Model("openai-chat:m", base_url="http://localhost:1", key_env="MY_KEY")
    )

    assert bare.client.api_key == "api-key-not-set"
    assert keyed.client.api_key == "mine"


@pytest.mark.parametrize("by", ["environment", "argument"])
def test_an_override_stands_in_for_every_model(monkeypatch, no_keys, by):
    @playbook
    def clerk(turn: Turn):
        return Answer("x")

    override = None
    if by == "environment":
        monkeypatch.setenv("LAMPWORK_MODEL", "openai-chat:other")
    else:
        override = "openai-chat:other"

    assert resolve("openai:gpt-5.2", override).name == "openai-chat:other"
    assert resolve(clerk, override).name == "openai-chat:other"
    assert resolve(clerk).name == ("openai-chat:other" if by == "environment" else "playbook:clerk")


async def test_an_async_playbook_is_awaited(desk):
    @playbook
    async def slow(turn: Turn):
        await asyncio.sleep(0)
        return Answer("done")

    assert (await desk.assign(genie_of(desk, slow))).output == "done"


def test_a_project_of_playbooks_does_not_import_the_model_layer(tmp_path):
    program = """
import sys
from lampwork import Answer, Job, Project, Turn, playbook

project = Project("shop")

@playbook
def script(turn: Turn):
    return Answer("done")

clerk = project.genie("clerk", model=script, job_description="You help.")

@project.recipe()
async def ask(job: Job) -> str:
    return (await job.assign_task(clerk, "Help.")).output

print(project.run(ask), {"pydantic_ai", "genai_prices", "openai"} & sys.modules.keys())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ran.stdout == "done set()\n", ran
