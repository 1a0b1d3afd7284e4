"""The ids of traces and spans, made from those of jobs: the same in every process, and for ever."""

from __future__ import annotations

import hashlib

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

__all__ = ["Ids", "span_id", "trace_id"]


def trace_id(root_id: str) -> int:
    """The trace of a tree of jobs, from the id of the job at its top."""
    return int.from_bytes(hashlib.sha256(f"trace {root_id}".encode()).digest()[:16])


def span_id(id: str) -> int:
    """The span of a job or task, from its id; of a skill call, from its idempotency key."""
    return int.from_bytes(hashlib.sha256(f"span {id}".encode()).digest()[:8])


class Ids(RandomIdGenerator):
    """Gives the next span the ids that were made for it; others, random ones."""

    def __init__(self) -> None:
        self._trace: int | None = None
        self._span: int | None = None

    def prepare(self, trace: int, span: int) -> None:
        """Make these the ids of the span that is started next."""
        self._trace, self._span = trace, span

    def generate_trace_id(self) -> int:
        """Of a span without a parent."""
        made, self._trace = self._trace, None
        return super().generate_trace_id() if made is None else made

    def generate_span_id(self) -> int:
        """Of any span."""
        made, self._span, self._trace = self._span, None, None
        return super().generate_span_id() if made is None else made
