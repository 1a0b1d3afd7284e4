"""`lampwork worker --otel`: spans and metrics on the wire, to a collector."""

from __future__ import annotations

import gzip
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.cli.shell import DEADLINE

from lampwork.otel.ids import span_id, trace_id


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.came = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> dict[str, Any]:
        """Every span by its name, the last one of each."""
        return {
            span.name: span
            for request in list(self.traces)
            for of_resource in request.resource_spans
            for scope in of_resource.scope_spans
            for span in scope.spans
        }

    def wait_for(self, *names: str) -> None:
        with self.came:
            came = self.came.wait_for(lambda: self.spans().keys() >= set(names), timeout=DEADLINE)
        assert came, f"only these came: {list(self.spans())}"

    def services(self) -> set[str]:
        traces = [each.resource for request in self.traces for each in request.resource_spans]
        metrics = [each.resource for request in self.metrics for each in request.resource_metrics]
        return {
            fact.value.string_value
            for resource in (*traces, *metrics)
            for fact in resource.attributes
            if fact.key == "service.name"
        }

    def counted(self) -> set[str]:
        return {
            metric.name
            for request in self.metrics
            for of_resource in request.resource_metrics
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        }


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with self.server.came:
            if self.path == "/v1/traces":
                self.server.traces.append(ExportTraceServiceRequest.FromString(body))
            else:
                assert self.path == "/v1/metrics"
                self.server.metrics.append(ExportMetricsServiceRequest.FromString(body))
            self.server.came.notify_all()
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as taking:
        thread = threading.Thread(target=taking.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", taking.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield taking
        taking.shutdown()
        thread.join()


def test_the_trace_of_a_job_goes_on_after_its_process_was_killed(
    lampwork: Any, stop: Any, collector: Collector
) -> None:
    killed = lampwork.worker("--otel")
    job_id = lampwork.queue("run", "pays_and_asks")
    lampwork.job(job_id, "suspended")
    collector.wait_for("chat teller", "execute_tool pay")
    assert not [name for name in collector.spans() if name.startswith("invoke")]
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    worker = lampwork.worker("--otel")
    lampwork("job", job_id, "send", "go", '"on"')
    lampwork.job(job_id, "succeeded")
    assert stop(worker).code == 0

    spans = collector.spans()
    job, task = spans["invoke_workflow pays_and_asks"], spans["invoke_agent cashier"]
    assert job.span_id == span_id(job_id).to_bytes(8) == task.parent_span_id
    assert not job.parent_span_id
    for name in ("chat teller", "execute_tool pay"):
        assert spans[name].parent_span_id == task.span_id
    assert {span.trace_id for span in spans.values()} == {trace_id(job_id).to_bytes(16)}
    assert job.start_time_unix_nano <= task.start_time_unix_nano
    assert task.end_time_unix_nano <= job.end_time_unix_nano

    assert collector.services() == {"shop"}
    assert collector.counted() >= {"gen_ai.workflow.duration", "lampwork.commits"}


def test_nothing_is_sent_unless_it_is_asked_for(
    lampwork: Any, stop: Any, collector: Collector
) -> None:
    worker = lampwork.worker()
    job_id = lampwork.queue("run", "pays")
    lampwork.job(job_id, "succeeded")
    stop(worker)

    assert (collector.traces, collector.metrics) == ([], [])


def test_a_collector_that_is_away_stops_nothing(
    lampwork: Any, stop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("LAMPWORK_OTEL", "1")
    worker = lampwork.worker()
    job_id = lampwork.queue("run", "pays")
    lampwork.job(job_id, "succeeded")

    assert stop(worker).code == 0
