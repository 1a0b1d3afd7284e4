"""Lampwork: durable recipes that put autonomous genies to work.

    from lampwork import Job, Metadata, Project

The names below are the public face. They are loaded when they are first used, because the engine
and the model layer take half a second to import and `lampwork --help` needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lampwork.app import App
    from lampwork.checks.finding import Finding
    from lampwork.errors import LampworkError, NotDone
    from lampwork.files.artifact import Artifact
    from lampwork.files.file import File
    from lampwork.genies.budget import Budget
    from lampwork.genies.effect import DidNotHappen, Happened, StillUnknown
    from lampwork.genies.genie import Genie
    from lampwork.genies.knowledge import Knowledge, Passage
    from lampwork.genies.report import Report, ReportSection
    from lampwork.genies.skill import Skill, SkillCall
    from lampwork.job import Job
    from lampwork.metadata import Metadata, Sealed
    from lampwork.metadata.proof import Proof
    from lampwork.models import (
        Answer,
        Call,
        Calls,
        CannotComplete,
        Model,
        Price,
        TextDelta,
        Turn,
        playbook,
    )
    from lampwork.models.rate_limit import RateLimit
    from lampwork.orchestrators.check import AcceptanceCheck, CheckCall
    from lampwork.orchestrators.limits import OrchestrationLimits
    from lampwork.orchestrators.orchestrator import Orchestrator
    from lampwork.orchestrators.plan import Plan, Subtask, SubtaskInput
    from lampwork.project import Project
    from lampwork.recipe import Recipe
    from lampwork.retention import Retention
    from lampwork.runs.step import Retry
    from lampwork.settings import ReadingCaps, Settings
    from lampwork.tasks.answer import Section, TaskAnswer
    from lampwork.tasks.history import Recent, Summary
    from lampwork.triggers.endpoint import Endpoint
    from lampwork.triggers.trigger import Cron, Poll, Polled
    from lampwork.triggers.webhook import Webhook
    from lampwork.types import JobRef

__all__ = [
    "AcceptanceCheck",
    "Answer",
    "App",
    "Artifact",
    "Budget",
    "Call",
    "Calls",
    "CannotComplete",
    "CheckCall",
    "Cron",
    "DidNotHappen",
    "Endpoint",
    "File",
    "Finding",
    "Genie",
    "Happened",
    "Job",
    "JobRef",
    "Knowledge",
    "LampworkError",
    "Metadata",
    "Model",
    "NotDone",
    "OrchestrationLimits",
    "Orchestrator",
    "Passage",
    "Plan",
    "Poll",
    "Polled",
    "Price",
    "Project",
    "Proof",
    "RateLimit",
    "ReadingCaps",
    "Recent",
    "Recipe",
    "Report",
    "ReportSection",
    "Retention",
    "Retry",
    "Sealed",
    "Section",
    "Settings",
    "Skill",
    "SkillCall",
    "StillUnknown",
    "Subtask",
    "SubtaskInput",
    "Summary",
    "TaskAnswer",
    "TextDelta",
    "Turn",
    "Webhook",
    "playbook",
]

_MODULES = {
    "AcceptanceCheck": "orchestrators.check",
    "Answer": "models",
    "App": "app",
    "Artifact": "files.artifact",
    "Budget": "genies.budget",
    "Call": "models",
    "Calls": "models",
    "CannotComplete": "models",
    "CheckCall": "orchestrators.check",
    "Cron": "triggers.trigger",
    "DidNotHappen": "genies.effect",
    "Endpoint": "triggers.endpoint",
    "Finding": "checks.finding",
    "File": "files.file",
    "Genie": "genies.genie",
    "Happened": "genies.effect",
    "Job": "job",
    "JobRef": "types",
    "Knowledge": "genies.knowledge",
    "LampworkError": "errors",
    "Metadata": "metadata",
    "Model": "models",
    "NotDone": "errors",
    "OrchestrationLimits": "orchestrators.limits",
    "Orchestrator": "orchestrators.orchestrator",
    "Plan": "orchestrators.plan",
    "Poll": "triggers.trigger",
    "Polled": "triggers.trigger",
    "Price": "models",
    "Passage": "genies.knowledge",
    "Project": "project",
    "Proof": "metadata.proof",
    "RateLimit": "models.rate_limit",
    "ReadingCaps": "settings",
    "Recent": "tasks.history",
    "Recipe": "recipe",
    "Report": "genies.report",
    "ReportSection": "genies.report",
    "Retention": "retention",
    "Retry": "runs.step",
    "Sealed": "metadata",
    "Section": "tasks.answer",
    "Settings": "settings",
    "Skill": "genies.skill",
    "SkillCall": "genies.skill",
    "StillUnknown": "genies.effect",
    "Subtask": "orchestrators.plan",
    "SubtaskInput": "orchestrators.plan",
    "Summary": "tasks.history",
    "TaskAnswer": "tasks.answer",
    "TextDelta": "models",
    "Turn": "models",
    "Webhook": "triggers.webhook",
    "playbook": "models",
}


if not TYPE_CHECKING:  # else type checkers would take any name for ours

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module 'lampwork' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"lampwork.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
