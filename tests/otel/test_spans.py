"""Spans: `job -> task -> model call, skill call`, by the conventions for generative AI."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from importlib.metadata import version
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from tests.canary import CANARY, everything
from tests.canary import project as mine
from tests.support import Metered, armed, dying, once, park, result, status

from lampwork import Answer, Call, Job, Project, Turn, playbook
from lampwork.errors import ExtraMissing, JobFailed
from lampwork.otel.conventions import of_model
from lampwork.otel.ids import span_id, trace_id

from .conftest import Open, Sent

project = Project("shop")


@project.skill(effect="idempotent")
async def weigh(parcel: str) -> int:
    """Weigh a parcel."""
    with trace.get_tracer("scales").start_as_current_span("scales"):
        return 3


@project.skill(effect="idempotent")
def drop(parcel: str) -> int:
    """Drop a parcel."""
    with trace.get_tracer("scales").start_as_current_span("floor"):
        raise ValueError(f"broke {parcel}")


@project.recipe()
async def measures(job: Job, parcel: str) -> int:
    """Measure a parcel."""
    return await job.step(length)


def length() -> int:
    with trace.get_tracer("scales").start_as_current_span("ruler"):
        return 7


def weighing(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("weigh", parcel="P1")


def dropping(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("drop", parcel="P1")


def measuring(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("measures", parcel="P1")


@playbook
def refusing(turn: Turn) -> Answer:
    raise RuntimeError("no")


weigher = project.genie(
    "weigher", model=Metered(weighing, used=(100, 20)), job_description="x", skills=[weigh]
)
dropper = project.genie("dropper", model=playbook(dropping), job_description="x", skills=[drop])
measurer = project.genie(
    "measurer", model=playbook(measuring), job_description="x", skills=[measures]
)
refuser = project.genie("refuser", model=refusing, job_description="x")


@project.recipe()
async def carry(job: Job) -> str:
    return (await job.assign_task(weigher, "Weigh it.")).response


@project.recipe()
async def break_it(job: Job) -> str:
    return (await job.assign_task(dropper, "Drop it.")).response


@project.recipe()
async def delegate(job: Job) -> str:
    return (await job.assign_task(measurer, "Measure it.")).response


@project.recipe()
async def refuse(job: Job) -> str:
    return (await job.assign_task(refuser, "Please.")).response


async def item(job: Job, number: int) -> int:
    return await job.step(length)


@project.recipe()
async def calls(job: Job) -> int:
    return await job.call(measures, parcel="P2") + sum(await job.map(item, [1]))


@project.recipe()
async def carry_and_wait(job: Job) -> str:
    task = await job.assign_task(weigher, "Weigh it.")
    await job.wait_for("go")
    return task.response + (await job.assign_task(weigher, "Again.")).response


def fail() -> None:
    raise LookupError("no shelf")


@project.recipe()
async def fails(job: Job) -> None:
    await job.step(fail)


def above(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


async def test_a_job_its_task_and_what_the_genie_does_are_one_tree(
    opened: Open, sent: Sent
) -> None:
    async with opened(project) as app:
        job = await app.start(carry)
        await result(app, job.job_id)

    job_span, task = sent.one("invoke_workflow carry"), sent.one("invoke_agent weigher")
    skill, chats = sent.one("execute_tool weigh"), sent.named("chat weighing")
    scales = sent.one("scales")
    assert len(chats) == 2
    assert above(job_span) is None
    assert above(task) == id_of(job_span) == span_id(job.job_id)
    assert [above(each) for each in (*chats, skill)] == [id_of(task)] * 3
    assert above(scales) == id_of(skill), "what a skill's own libraries send comes below it"
    traces = {span.context.trace_id for span in sent.spans() if span.context}
    assert traces == {trace_id(job.job_id)}
    for inner, outer in ((task, job_span), (skill, task), (scales, skill)):
        assert outer.start_time <= inner.start_time <= inner.end_time <= outer.end_time


async def test_spans_are_named_and_described_by_the_conventions(opened: Open, sent: Sent) -> None:
    async with opened(project) as app:
        job = await app.start(carry)
        await result(app, job.job_id)

    task_id, conversation = f"t{job.job_id[1:]}.1", f"c{job.job_id[1:]}.1"
    assert described(sent.one("invoke_workflow carry")) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "carry",
        "lampwork.job.id": job.job_id,
        "lampwork.job.status": "succeeded",
        "lampwork.project": "shop",
    }
    cost = weigher.model.price().cost(100, 20)
    assert described(sent.one("invoke_agent weigher")) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "weigher",
        "gen_ai.conversation.id": conversation,
        "gen_ai.provider.name": "playbook",
        "gen_ai.request.model": "weighing",
        "gen_ai.usage.input_tokens": 200,
        "gen_ai.usage.output_tokens": 40,
        "lampwork.cost.nanodollars": 2 * cost,
        "lampwork.job.id": job.job_id,
        "lampwork.task.id": task_id,
        "lampwork.task.status": "answered",
    }
    assert described(sent.named("chat weighing")[0]) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.agent.name": "weigher",
        "gen_ai.conversation.id": conversation,
        "gen_ai.provider.name": "playbook",
        "gen_ai.request.model": "weighing",
        "gen_ai.response.model": "playbook:weighing",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "lampwork.cost.nanodollars": cost,
        "lampwork.model.tries": 1,
        "lampwork.task.id": task_id,
    }
    assert described(sent.one("execute_tool weigh")) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weigh",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "call_2_0",
        "lampwork.skill.effect": "idempotent",
        "lampwork.skill.key": f"{task_id}.2.0",
        "lampwork.skill.status": "ok",
        "lampwork.task.id": task_id,
    }


def described(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.mark.parametrize(
    ("recipe", "name", "error"),
    [
        (break_it, "execute_tool drop", "ValueError"),
        (refuse, "chat refusing", "PlaybookFailed"),
        (refuse, "invoke_agent refuser", "playbook_failed"),
        (refuse, "invoke_workflow refuse", "RuntimeError"),
        (fails, "invoke_workflow fails", "LookupError"),
    ],
)
async def test_a_failure_is_named_by_its_class(
    opened: Open, sent: Sent, recipe: Any, name: str, error: str
) -> None:
    async with opened(project) as app:
        job = await app.start(recipe)
        with contextlib.suppress(JobFailed):
            await result(app, job.job_id)

    span = sent.one(name)
    assert described(span)["error.type"] == error
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert span.events == (), "an event would hold what the error says"


async def test_a_call_of_a_providers_model_is_one_of_a_client(opened: Open, sent: Sent) -> None:
    away = Project("away")
    model = FunctionModel(
        lambda _messages, _info: ModelResponse(parts=[TextPart("hello")]), model_name="small"
    )
    greeter = away.genie("greeter", model=model, job_description="x")
    async with opened(away) as app:
        await app.assign_task(greeter, "Greet.")

    chat = sent.one("chat small")
    assert chat.kind == SpanKind.CLIENT
    facts = described(chat)
    assert facts["gen_ai.response.model"] == "small"
    assert facts["gen_ai.usage.input_tokens"] > 0


async def test_a_parked_job_goes_on_in_the_trace_that_it_began(opened: Open, sent: Sent) -> None:
    async with opened(project) as app:
        job = await app.start(carry_and_wait)
        await status(app, job.job_id, "suspended")
        await park(app, job.job_id)
    async with opened(project) as app:  # as another process
        await app.send_event(job.job_id, "go", None)
        await result(app, job.job_id)

    job_span, (first, second) = sent.one("invoke_workflow carry_and_wait"), tasks(sent)
    assert above(first) == above(second) == id_of(job_span) == span_id(job.job_id)
    assert job_span.start_time <= first.start_time < second.start_time
    assert [above(each) for each in sent.named("chat weighing")] == [
        *[id_of(first)] * 2,
        *[id_of(second)] * 2,
    ]
    assert {of(span) for span in sent.spans()} == {trace_id(job.job_id)}


def tasks(sent: Sent) -> list[ReadableSpan]:
    return sorted(sent.named("invoke_agent weigher"), key=lambda span: span.start_time or 0)


def of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


async def test_a_task_that_another_run_goes_on_with_is_one_span(opened: Open, sent: Sent) -> None:
    async with opened(project) as app:
        with armed("said.appended", once(dying(app))):
            await result(app, (await app.start(carry)).job_id)

    assert len(sent.named("chat weighing")) == 2, "what was recorded is not asked again"
    task = sent.one("invoke_agent weigher")
    assert {above(each) for each in sent.named("chat weighing")} == {id_of(task)}
    assert above(sent.one("execute_tool weigh")) == id_of(task)


async def test_a_child_job_comes_below_the_job_or_the_skill_call_that_started_it(
    opened: Open, sent: Sent
) -> None:
    async with opened(project) as app:
        delegating, calling = await app.start(delegate), await app.start(calls)
        await result(app, delegating.job_id)
        await result(app, calling.job_id)

    by_trace = {of(span): span for span in sent.named("invoke_workflow measures")}
    skill = sent.one("execute_tool measures")
    assert above(by_trace[trace_id(delegating.job_id)]) == id_of(skill)
    assert above(by_trace[trace_id(calling.job_id)]) == span_id(calling.job_id)
    [items] = [span for span in sent.spans() if span.name.endswith(":item")]
    assert above(items) == span_id(calling.job_id)
    rulers = {above(span) for span in sent.named("ruler")}
    children = {*map(id_of, by_trace.values()), id_of(items)}
    assert rulers == children, "what a step's own libraries send comes below its job"


async def test_no_value_of_a_user_is_sent(opened: Open, sent: Sent) -> None:
    async with opened(mine) as app:
        await everything(app)

    assert len(sent.spans()) > 15
    assert CANARY not in "".join(span.to_json() for span in sent.spans())
    assert CANARY not in str(sent.points())


async def test_nothing_is_sent_unless_it_is_asked_for(opened: Open, sent: Sent) -> None:
    async with opened(project, otel=False) as app:
        await app.run(measures, parcel="P1")

    assert [span.name for span in sent.spans()] == ["ruler"], "that is the user's own"


async def test_a_sampler_takes_a_whole_trace_or_nothing_of_it(opened: Open, sent: Sent) -> None:
    provider = trace.get_tracer_provider()
    tracer = provider.get_tracer("lampwork", version("lampwork"))
    before, tracer.sampler = tracer.sampler, ParentBased(TraceIdRatioBased(0.5))
    try:
        async with opened(project) as app:
            jobs = [(await app.start(carry)).job_id for _ in range(12)]
            for job_id in jobs:
                await result(app, job_id)
    finally:
        tracer.sampler = before

    ours = [span for span in sent.spans() if span.name != "scales"]
    taken = {trace_id(job_id) for job_id in jobs if trace_id(job_id) % 2**64 < 2**63}
    counted = Counter(map(of, ours))
    assert counted == dict.fromkeys(taken, 5)


async def test_metrics_are_those_of_the_conventions(opened: Open, sent: Sent) -> None:
    async with opened(project) as app:
        await app.run(carry)
    points = sent.points()

    def of_attributes(name: str, **wanted: str) -> Any:
        [point] = [p for p in points[name] if wanted.items() <= dict(p.attributes).items()]
        return point

    chat = {"gen_ai.request.model": "weighing"}
    assert of_attributes("gen_ai.client.operation.duration", **chat).count >= 2
    for kind, tokens in (("input", 100), ("output", 20)):
        usage = of_attributes("gen_ai.client.token.usage", **{**chat, "gen_ai.token.type": kind})
        assert usage.sum == usage.count * tokens
    assert of_attributes("gen_ai.execute_tool.duration", **{"gen_ai.tool.name": "weigh"}).count
    assert of_attributes("gen_ai.invoke_agent.duration", **{"gen_ai.agent.name": "weigher"}).count
    assert of_attributes("gen_ai.workflow.duration", **{"gen_ai.workflow.name": "carry"}).count
    [appends], [commits] = points["lampwork.appends"], points["lampwork.commits"]
    assert (appends.value, commits.value > 0) == (3, True)
    assert of_attributes("lampwork.jobs.ended", status="succeeded").value == 1


async def test_without_the_extra_it_is_said_what_to_install(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lampwork.otel", None)

    with pytest.raises(ExtraMissing, match=r'pip install "lampwork\[otel\]"') as raised:
        async with opened(project):
            pass
    assert raised.value.fields == {"extra": "otel"}


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("openai-chat:gpt-5.2", "openai", "gpt-5.2"),
        ("google-vertex:gemini-3", "gcp.vertex_ai", "gemini-3"),
        ("anthropic:claude-opus-5", "anthropic", "claude-opus-5"),
        ("bedrock:us.amazon.nova-pro-v1:0", "aws.bedrock", "us.amazon.nova-pro-v1:0"),
    ],
)
def test_providers_have_the_names_of_the_conventions(model: str, provider: str, name: str) -> None:
    assert of_model(model) == {"gen_ai.provider.name": provider, "gen_ai.request.model": name}
