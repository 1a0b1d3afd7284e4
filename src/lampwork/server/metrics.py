"""What this process counts, and how the jobs stand, in the text format of Prometheus (0.0.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from lampwork.app import App
from lampwork.counters import BOUNDS, Times
from lampwork.server.serving import Serving
from lampwork.views import Operations

__all__ = ["text"]


def text(serving: Serving, operations: Operations) -> str:
    """All of it."""
    return "\n".join([*_lines(serving, operations), ""])


def _lines(serving: Serving, operations: Operations) -> Iterator[str]:
    yield from _labelled("jobs", "gauge", "Jobs by status.", "status", operations.jobs)
    yield from _labelled(
        "tasks", "gauge", "Unfinished tasks by status.", "status", operations.tasks
    )
    queued = operations.oldest_queued_at
    waited = 0.0 if queued is None else (operations.at - queued).total_seconds()
    yield from _one("queued_seconds", "gauge", "For how long the oldest job is queued.", waited)
    commits = serving.door.store.counters
    yield from _times("commit_seconds", "Commits of this process.", commits.times)
    yield from _one("changes_total", "counter", "Changes in them.", commits.changes)
    yield from _one("changes_refused_total", "counter", "Changes not taken.", commits.refused)
    if not isinstance(serving.door, App):
        return
    work = serving.door.worker.counters
    ended = "Jobs that have ended in this process."
    yield from _labelled("jobs_ended_total", "counter", ended, "status", work.jobs)
    yield from _one("appends_total", "counter", "Writes to conversations.", work.appends)
    yield from _times("model_call_seconds", "Calls of models, with all tries.", work.model_calls)
    again = "Tries of model calls after the first."
    yield from _one("model_tries_again_total", "counter", again, work.model_tries_again)
    failed = "Model calls without a reply."
    yield from _one("model_failures_total", "counter", failed, work.model_failures)
    yield from _times("skill_call_seconds", "Calls of skills' functions.", work.skill_calls)


def _head(name: str, kind: str, said: str) -> Iterator[str]:
    yield f"# HELP lampwork_{name} {said}"
    yield f"# TYPE lampwork_{name} {kind}"


def _one(name: str, kind: str, said: str, value: float) -> Iterator[str]:
    yield from _head(name, kind, said)
    yield f"lampwork_{name} {value}"


def _labelled(
    name: str, kind: str, said: str, label: str, values: Mapping[str, int]
) -> Iterator[str]:
    yield from _head(name, kind, said)
    for each, value in values.items():
        yield f'lampwork_{name}{{{label}="{each}"}} {value}'


def _times(name: str, said: str, times: Times) -> Iterator[str]:
    yield from _head(name, "histogram", said)
    for bound, count in zip((*BOUNDS, "+Inf"), accumulate(times.buckets), strict=True):
        yield f'lampwork_{name}_bucket{{le="{bound}"}} {count}'
    yield f"lampwork_{name}_sum {times.seconds:.6f}"
    yield f"lampwork_{name}_count {times.count}"
