"""What models, and records, can make of a project's skills, recipes and knowledge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lampwork import values
from lampwork.checks.finding import Finding
from lampwork.checks.source import place
from lampwork.errors import ResultNotRecordable

if TYPE_CHECKING:
    from lampwork.genies.skill import Skill
    from lampwork.project import Project

__all__ = ["all_skills", "in_project"]

_TOO_MANY = 10
"""Parameters of a skill with which models begin to go wrong."""


def in_project(project: Project) -> Iterator[Finding]:
    """Findings in skills, knowledge and the results of recipes."""
    yield from _in_skills(project)
    yield from _in_recipes(project)


def _in_skills(project: Project) -> Iterator[Finding]:
    for skill in all_skills(project):
        where = place(skill.fn)
        if not skill.doc:
            yield Finding(
                code="skill_without_docstring",
                severity="warning",
                message=f'Skill "{skill.name}" has no docstring, so a model can\'t know its use.',
                mend="Write one that says when to use it.",
                **where,
            )
        if (count := len(skill.contract.names)) >= _TOO_MANY:
            yield Finding(
                code="skill_with_many_parameters",
                severity="warning",
                message=f'Skill "{skill.name}" asks a model for {count} parameters.',
                mend="Split it, or take what the task knows as Metadata[…].",
                **where,
            )
        yield from _unrecordable(
            f'what skill "{skill.name}" returns', skill.contract.returns, where
        )
    for base in project.knowledge_bases.values():
        if not base.doc:
            yield Finding(
                code="knowledge_without_docstring",
                severity="warning",
                message=f'The search of knowledge "{base.name}" has no docstring, so a model '
                "can't know what is in it.",
                mend="Write one that says what is in it, and when to search it.",
                **place(base.search),
            )


def _in_recipes(project: Project) -> Iterator[Finding]:
    for recipe in project.recipes.values():
        try:
            returns = values.return_type(recipe.fn)
        except ResultNotRecordable as error:
            yield _not_recordable(str(error), place(recipe.fn))
            continue
        yield from _unrecordable(f"what recipe {recipe.name} returns", returns, place(recipe.fn))


def _unrecordable(what: str, returns: Any, where: dict[str, Any]) -> Iterator[Finding]:
    try:
        values.check_type(returns)
    except ResultNotRecordable as error:
        yield _not_recordable(f"{what[0].upper()}{what[1:]} can't be written down: {error}", where)


def _not_recordable(message: str, where: dict[str, Any]) -> Finding:
    mend = "Annotate a type that has a JSON form."
    return Finding(
        code="output_not_recordable", severity="error", message=message, mend=mend, **where
    )


def all_skills(project: Project) -> Iterable[Skill[..., Any]]:
    """The project's own, and those that recipes have become for some genie."""
    of_genies = (
        skill for genie in project.genies.values() for skill in genie.skills if skill.recipe
    )
    return {skill.fn: skill for skill in (*project.skills.values(), *of_genies)}.values()
