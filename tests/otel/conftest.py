"""A process that has set OpenTelemetry up to keep what is sent, once for all tests in it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lampwork import App, Project, Settings

Open = Callable[..., AbstractAsyncContextManager[App]]


@dataclass(frozen=True)
class Sent:
    """What is sent."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span

    def points(self) -> dict[str, list[Any]]:
        """By the name of each metric, its points."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for of_resource in (data.resource_metrics if data else [])
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        }


@functools.cache
def _set_up() -> Sent:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    return Sent(exporter, reader)


@pytest.fixture
def sent() -> Iterator[Sent]:
    """What is sent in this test; of metrics also what was sent before."""
    found = _set_up()
    found.exporter.clear()
    yield found
    found.exporter.clear()


@pytest.fixture
def opened(tmp_path: Path, sent: Sent) -> Open:
    """`async with opened(project) as app`: the same folder each time in a test, and it sends."""

    def open(project: Project, **given: Any) -> AbstractAsyncContextManager[App]:
        settings: dict[str, Any] = {"park_after": 3600.0, "grace": 0.5, "otel": True}
        return project.open(settings=Settings(home=tmp_path / "state", **(settings | given)))

    return open
