"""Lampwork: durable recipes that put autonomous genies to work.

    from lampwork import Job, Metadata, Project

The names below are the public face. They are loaded when they are first used, because the engine
and the model layer take half a second to import and `lampwork --help` needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lampwork.answer import TaskAnswer
    from lampwork.app import App
    from lampwork.artifact import Artifact
    from lampwork.budget import Budget
    from lampwork.check import Finding
    from lampwork.effect import DidNotHappen, Happened, StillUnknown
    from lampwork.errors import LampworkError, NotDone
    from lampwork.files.file import File
    from lampwork.genie import Genie
    from lampwork.history import Recent, Summary
    from lampwork.job import Job, JobRef
    from lampwork.knowledge import Knowledge, Passage
    from lampwork.metadata import Metadata, Sealed
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
    from lampwork.project import Project
    from lampwork.proof import Proof
    from lampwork.recipe import Recipe
    from lampwork.settings import ReadingCaps, Settings
    from lampwork.skill import Skill, SkillCall
    from lampwork.step import Retry
    from lampwork.trigger import Cron, Poll, Polled

__all__ = [
    "Answer",
    "App",
    "Artifact",
    "Budget",
    "Call",
    "Calls",
    "CannotComplete",
    "Cron",
    "DidNotHappen",
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
    "Passage",
    "Poll",
    "Polled",
    "Price",
    "Project",
    "Proof",
    "ReadingCaps",
    "Recent",
    "Recipe",
    "Retry",
    "Sealed",
    "Settings",
    "Skill",
    "SkillCall",
    "StillUnknown",
    "Summary",
    "TaskAnswer",
    "TextDelta",
    "Turn",
    "playbook",
]

_MODULES = {
    "Answer": "models",
    "App": "app",
    "Artifact": "artifact",
    "Budget": "budget",
    "Call": "models",
    "Calls": "models",
    "CannotComplete": "models",
    "Cron": "trigger",
    "DidNotHappen": "effect",
    "Finding": "check",
    "File": "files.file",
    "Genie": "genie",
    "Happened": "effect",
    "Job": "job",
    "JobRef": "job",
    "Knowledge": "knowledge",
    "LampworkError": "errors",
    "Metadata": "metadata",
    "Model": "models",
    "NotDone": "errors",
    "Poll": "trigger",
    "Polled": "trigger",
    "Price": "models",
    "Passage": "knowledge",
    "Project": "project",
    "Proof": "proof",
    "ReadingCaps": "settings",
    "Recent": "history",
    "Recipe": "recipe",
    "Retry": "step",
    "Sealed": "metadata",
    "Settings": "settings",
    "Skill": "skill",
    "SkillCall": "skill",
    "StillUnknown": "effect",
    "Summary": "history",
    "TaskAnswer": "answer",
    "TextDelta": "models",
    "Turn": "models",
    "playbook": "models",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'lampwork' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lampwork.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
