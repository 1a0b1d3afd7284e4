"""Metrics of one process: times as they pass, and what it counts anyway, asked when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from lampwork.counters import Commits, Work
from lampwork.otel import conventions as named

__all__ = ["Metrics"]

_FAST = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_AGENTS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6]
_JOBS = [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0]
_TOKENS = [float(4**power) for power in range(14)]
"""The bounds that the conventions name."""


class Metrics:
    """The instruments of one process."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.work, self.commits = Work(), Commits()
        """What the process that executes counts; the open project's own, once it is open."""

        def times(name: str, bounds: list[float]) -> Any:
            return meter.create_histogram(
                name, unit="s", explicit_bucket_boundaries_advisory=bounds
            )

        self._models = times("gen_ai.client.operation.duration", _FAST)
        self._skills = times("gen_ai.execute_tool.duration", _FAST)
        self._tasks = times("gen_ai.invoke_agent.duration", _AGENTS)
        self._jobs = times("gen_ai.workflow.duration", _JOBS)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", explicit_bucket_boundaries_advisory=_TOKENS
        )
        self._observe()

    def model_called(self, seconds: float, facts: dict[str, Any], usage: Mapping[str, int]) -> None:
        """A model was called, with all its tries."""
        self._models.record(seconds, facts)
        for kind in ("input", "output"):
            if (tokens := usage.get(f"gen_ai.usage.{kind}_tokens")) is not None:
                self._tokens.record(tokens, {**facts, named.TOKEN_TYPE: kind})

    def skill_called(self, seconds: float, skill: str, error: str | None) -> None:
        """A skill call has its result."""
        facts = {named.OPERATION: "execute_tool", named.TOOL: skill}
        self._skills.record(max(0.0, seconds), facts | _of(error))

    def task_ended(self, seconds: float, genie: str, error: str | None) -> None:
        """A task has ended."""
        self._tasks.record(max(0.0, seconds), {named.AGENT: genie} | _of(error))

    def job_ended(self, seconds: float, recipe: str, error: str | None) -> None:
        """A job has ended."""
        self._jobs.record(max(0.0, seconds), {named.WORKFLOW: recipe} | _of(error))

    def _observe(self) -> None:
        counted: dict[str, Callable[[], float]] = {
            "lampwork.appends": lambda: self.work.appends,
            "lampwork.changes": lambda: self.commits.changes,
            "lampwork.changes.refused": lambda: self.commits.refused,
            "lampwork.commits": lambda: self.commits.times.count,
            "lampwork.commit.seconds": lambda: self.commits.times.seconds,
            "lampwork.model.calls": lambda: self.work.model_calls.count,
            "lampwork.model.failures": lambda: self.work.model_failures,
            "lampwork.model.tries_again": lambda: self.work.model_tries_again,
            "lampwork.skill.calls": lambda: self.work.skill_calls.count,
        }
        for name, count in counted.items():
            self._meter.create_observable_counter(name, [_observed(count)])
        self._meter.create_observable_counter("lampwork.jobs.ended", [self._jobs_ended])

    def _jobs_ended(self, _options: CallbackOptions) -> Iterable[Observation]:
        ended = dict(self.work.jobs)
        return [Observation(count, {"status": status}) for status, count in ended.items()]


def _observed(count: Callable[[], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: [Observation(count())]


def _of(error: str | None) -> dict[str, str]:
    return {} if error is None else {named.ERROR: error}
