"""OpenTelemetry: spans and metrics of what a process executes, sent to where the user says.

Off by default, behind the extra `lampwork[otel]`; the only package that knows OpenTelemetry. Jobs
outlive processes, so a trace is not carried along but found again: its id, and those of the spans
of jobs, tasks and skill calls, are made from their own ids (`ids.py`). Such a span is sent by the
process in which it ended, with its beginning as it is on record.
"""

from lampwork.otel.setting_up import set_up
from lampwork.otel.telemetry import JobSpan, ModelCall, SkillSpan, TaskSpan, Telemetry

__all__ = ["JobSpan", "ModelCall", "SkillSpan", "TaskSpan", "Telemetry", "set_up"]
