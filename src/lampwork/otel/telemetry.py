"""The spans and metrics of one process: `job -> task -> model call, skill call`.

They name ids, recipes, genies, skills and models, and count tokens. No content is in them, and no
message of an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace import TraceFlags as Flags

from lampwork.otel import conventions as named
from lampwork.otel.ids import Ids, span_id, trace_id
from lampwork.otel.metrics import Metrics

__all__ = ["JobSpan", "ModelCall", "SkillSpan", "TaskSpan", "Telemetry"]

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpan:
    """A task that has ended."""

    id: str
    genie: str
    model: str | None
    conversation_id: str
    status: str
    began: float
    """In epoch seconds, as all times here."""
    ended: float
    usage: Mapping[str, int]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpan:
    """A job that has ended."""

    id: str
    root_id: str
    parent: str | None
    """The job above, or the key of the skill call that it is of."""
    recipe: str
    project: str
    status: str
    began: float
    ended: float
    error: str | None
    tasks: tuple[TaskSpan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSpan:
    """A skill call that has its result."""

    key: str
    root_id: str
    task_id: str
    skill: str
    call_id: str
    effect: str
    status: str
    began: float
    ended: float
    error: str | None


@dataclass(slots=True)
class ModelCall:
    """A call of a model that is under way."""

    span: trace.Span
    named: dict[str, Any]
    usage: dict[str, int] = field(default_factory=dict[str, int])

    def replied(self, *, model: str, usage: Mapping[str, int], raw: Mapping[str, Any]) -> None:
        """What came, without what it says."""
        self.usage = named.of_usage(usage)
        self.named[named.RESPONSE_MODEL] = model
        facts: dict[str, Any] = {named.RESPONSE_MODEL: model, **self.usage}
        facts["lampwork.model.tries"] = usage.get("requests", 1)
        if reason := raw.get("finish_reason"):
            facts[named.FINISH_REASONS] = [reason]
        if response := raw.get("provider_response_id"):
            facts[named.RESPONSE_ID] = response
        self.span.set_attributes(facts)


class Telemetry:
    """Spans and metrics of one process. Its methods are for the jobs' event loop."""

    def __init__(self, tracer: Tracer, metrics: Metrics, close: Callable[[], None]) -> None:
        self.metrics = metrics
        self.close = close
        """Send what is not sent yet, within some seconds; blocks."""
        self._tracer = tracer
        self._ids = tracer.id_generator = Ids()

    # --- where users' code executes: its own spans come below ours ---

    @contextmanager
    def within(self, root_id: str, id: str) -> Generator[None]:
        """Let what is started in here be below the span of this job, task or skill call."""
        token = contexts.attach(self._below(root_id, id))
        try:
            yield
        finally:
            contexts.detach(token)

    @contextmanager
    def model_call(
        self,
        *,
        root_id: str,
        task_id: str,
        conversation_id: str,
        genie: str,
        model: str,
        streams: bool,
        max_tokens: int | None,
    ) -> Generator[ModelCall]:
        """A call of a model, with all its tries."""
        metered = {named.OPERATION: "chat", **named.of_model(model)}
        facts: dict[str, Any] = {
            **metered,
            named.AGENT: genie,
            named.CONVERSATION: conversation_id,
            "lampwork.task.id": task_id,
        }
        if streams:
            facts[named.STREAM] = True
        if max_tokens is not None:
            facts[named.MAX_TOKENS] = max_tokens
        kind = SpanKind.INTERNAL if metered[named.PROVIDER] == "playbook" else SpanKind.CLIENT
        name, above = f"chat {metered[named.MODEL]}", self._below(root_id, task_id)
        span = self._tracer.start_span(name, above, kind, facts)
        began, call = time.monotonic(), ModelCall(span, dict(metered))
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield call
        except BaseException as error:
            _fail(span, call.named, type(error).__name__)
            raise
        finally:
            span.end()
            self.metrics.model_called(time.monotonic() - began, call.named, call.usage)

    # --- what has ended ---

    def skill_called(self, call: SkillSpan) -> None:
        """A skill call has its result."""
        facts = {
            named.OPERATION: "execute_tool",
            named.TOOL: call.skill,
            named.TOOL_TYPE: "function",
            named.TOOL_CALL: call.call_id,
            "lampwork.task.id": call.task_id,
            "lampwork.skill.effect": call.effect,
            "lampwork.skill.key": call.key,
            "lampwork.skill.status": call.status,
        }
        above = self._below(call.root_id, call.task_id)
        self._ended(f"execute_tool {call.skill}", call.root_id, call.key, above, facts, call)
        self.metrics.skill_called(call.ended - call.began, call.skill, call.error)

    def job_ended(self, job: JobSpan) -> None:
        """A job has ended, and with it its tasks."""
        for task in job.tasks:
            self._task_ended(job, task)
        facts = {
            named.OPERATION: "invoke_workflow",
            named.WORKFLOW: job.recipe,
            "lampwork.job.id": job.id,
            "lampwork.job.status": job.status,
            "lampwork.project": job.project,
        }
        above = Context() if job.parent is None else self._below(job.root_id, job.parent)
        self._ended(f"invoke_workflow {job.recipe}", job.root_id, job.id, above, facts, job)
        self.metrics.job_ended(job.ended - job.began, job.recipe, job.error)

    def _task_ended(self, job: JobSpan, task: TaskSpan) -> None:
        facts: dict[str, Any] = {
            named.OPERATION: "invoke_agent",
            named.AGENT: task.genie,
            named.CONVERSATION: task.conversation_id,
            **({} if task.model is None else named.of_model(task.model)),
            **named.of_usage(task.usage),
            "lampwork.task.id": task.id,
            "lampwork.task.status": task.status,
            "lampwork.job.id": job.id,
        }
        above = self._below(job.root_id, job.id)
        self._ended(f"invoke_agent {task.genie}", job.root_id, task.id, above, facts, task)
        self.metrics.task_ended(task.ended - task.began, task.genie, task.error)

    # --- spans with ids of their own ---

    def _ended(
        self,
        name: str,
        root_id: str,
        id: str,
        above: Context,
        facts: dict[str, Any],
        what: JobSpan | TaskSpan | SkillSpan,
    ) -> None:
        self._ids.prepare(trace_id(root_id), span_id(id))
        began = round(what.began * _NANO)
        span = self._tracer.start_span(name, above, SpanKind.INTERNAL, facts, start_time=began)
        if what.error is not None:
            _fail(span, {}, what.error)
        span.end(max(began, round(what.ended * _NANO)))

    def _below(self, root_id: str, id: str) -> Context:
        trace_of_it = trace_id(root_id)
        # A sampler decides by the id of the trace, so each process comes to the same.
        sampled = self._tracer.sampler.should_sample(Context(), trace_of_it, "invoke_workflow")
        flags = Flags(Flags.SAMPLED if sampled.decision.is_sampled() else Flags.DEFAULT)
        above = SpanContext(trace_of_it, span_id(id), is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(NonRecordingSpan(above), Context())


def _fail(span: trace.Span, metered: dict[str, Any], error: str) -> None:
    """Say the class of an error, and not what it says."""
    metered[named.ERROR] = error
    span.set_attribute(named.ERROR, error)
    span.set_status(Status(StatusCode.ERROR))
