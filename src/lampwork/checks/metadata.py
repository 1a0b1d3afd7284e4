"""Metadata that a skill needs and no recipe gives, as far as the source of the recipes says it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lampwork.checks.finding import Finding
from lampwork.checks.skills import all_skills
from lampwork.checks.source import Sources, called, place

if TYPE_CHECKING:
    from lampwork.project import Project

__all__ = ["in_project"]


def in_project(project: Project, sources: Sources) -> Iterator[Finding]:
    """Findings in the metadata of skills."""
    given = _given(sources)
    if given is None:
        return
    for skill in all_skills(project):
        for key in skill.metadata.values():
            if key.required and key.name not in given:
                yield Finding(
                    code="metadata_never_given",
                    severity="warning",
                    message=f'Skill "{skill.name}" needs metadata "{key.name}", which no recipe '
                    "gives: in their tasks it is withheld.",
                    mend=f'Assign the task with metadata={{"{key.name}": …}}.',
                    **place(skill.fn),
                )


def _given(sources: Sources) -> set[str] | None:
    """Every key that a recipe gives to some task; None where the source does not say it all."""
    keys = set[str]()
    assigns = False
    for file in sources:
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Call):
                continue
            of_task = called(node) == "assign_task"
            assigns |= of_task
            for keyword in node.keywords:
                named = _keys(keyword, of_task=of_task)
                if named is None:
                    return None
                keys |= named
    return keys if assigns else None


def _keys(keyword: ast.keyword, *, of_task: bool) -> set[str] | None:
    """The metadata keys that an argument of a call gives; None if only a run can tell."""
    match keyword:
        case ast.keyword(arg=None) if of_task:
            return None
        case ast.keyword(arg="metadata", value=ast.Constant(value=None)):
            return set()
        case ast.keyword(arg="metadata", value=ast.Dict(keys=keys)):
            named = [each.value for each in keys if isinstance(each, ast.Constant)]
            return {str(name) for name in named} if len(named) == len(keys) else None
        case ast.keyword(arg="metadata"):
            return None
        case _:
            return set()
