"""Where spans and metrics go: what the process has set up itself, else OTLP over HTTP.

The exporter, the resource and the sampler are configured as everywhere, by the environment
variables of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`,
`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and the rest.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from importlib.metadata import version
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from lampwork.otel.metrics import Metrics
from lampwork.otel.telemetry import Telemetry

__all__ = ["set_up"]

_PATIENCE = 5.0
"""Seconds that a process waits at its end until what it has is sent."""


def set_up(service: str) -> Telemetry | None:
    """The telemetry of this process; `service` is its name unless the environment says another.

    Where the process has set up a provider, of spans or of metrics, that is used as it is, and
    nothing else is sent. If not, ours are made and set up for all of its code: what a skill sends
    comes below the skill's call. None where OTEL_SDK_DISABLED turns it off.
    """
    traces, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    if not isinstance(traces, TracerProvider) and not isinstance(meters, MeterProvider):
        resource = Resource.create({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
        traces, meters = _traces(resource), _meters(resource)
        trace.set_tracer_provider(traces)
        metrics.set_meter_provider(meters)
    # What is sent nowhere, so that there is a tracer that asks a sampler.
    sdk = traces if isinstance(traces, TracerProvider) else TracerProvider(shutdown_on_exit=False)
    return _telemetry_of(sdk, meters)


# Neither is shut down at the exit, which would try for half a minute to reach a collector that is
# away.


def _traces(resource: Resource) -> TracerProvider:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if os.environ.get("OTEL_TRACES_EXPORTER") != "none":
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _meters(resource: Resource) -> MeterProvider:
    readers: list[MetricReader] = []
    if os.environ.get("OTEL_METRICS_EXPORTER") != "none":
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    return MeterProvider(readers, resource=resource, shutdown_on_exit=False)


@functools.cache
def _telemetry_of(traces: TracerProvider, meters: metrics.MeterProvider) -> Telemetry | None:
    """Telemetry that goes to these providers: one, however often a project is opened."""
    ours = version("lampwork")
    tracer = traces.get_tracer("lampwork", ours)
    if not isinstance(tracer, Tracer):
        return None
    metrics_of_it = Metrics(meters.get_meter("lampwork", ours))
    return Telemetry(tracer, metrics_of_it, lambda: _send(traces, meters))


def _send(*providers: Any) -> None:
    """Send what is there; a collector that is away holds the process no longer than this."""
    until = time.monotonic() + _PATIENCE
    flushing = [each.force_flush for each in providers if hasattr(each, "force_flush")]
    sending = [threading.Thread(target=flush, daemon=True) for flush in flushing]
    for each in sending:
        each.start()
    for each in sending:
        each.join(max(0.0, until - time.monotonic()))
