"""What is wrong with genies: skills that look alike, models that can't be asked, eligibility."""

from __future__ import annotations

import ast
import difflib
import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lampwork.checks.finding import Finding
from lampwork.checks.source import Sources, place
from lampwork.errors import ModelError, ModelKeyMissing
from lampwork.genies import eligibility
from lampwork.models.resolve import Model, Playbook, named, resolve

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.genies.skill import Skill
    from lampwork.project import Project

__all__ = ["definition_of", "in_project"]

_ALIKE = 0.9
"""How near to each other two descriptions are, from 0 to 1, when a model can't tell them apart."""


def in_project(project: Project, sources: Sources) -> Iterator[Finding]:
    """Findings in each genie."""
    for genie in project.genies.values():
        where = definition_of(genie.name, sources)
        yield from _in_skills(genie)
        yield from _in_model(genie, where)
        yield from _in_eligibility(genie, where)
    yield from _in_rate_limits(project)


def definition_of(genie: str, sources: Sources) -> dict[str, Any]:
    """Where a genie is defined under that name, as the fields of a Finding."""
    for call, file in (*sources.calls_of("genie"), *sources.calls_of("orchestrator")):
        keywords = {each.arg: each.value for each in call.keywords}
        match call.args[0] if call.args else keywords.get("name"):
            case ast.Constant(value=name) if name == genie:
                return {"file": str(file.path), "line": call.lineno}
            case _:
                pass
    return {}


def _in_skills(genie: Genie) -> Iterator[Finding]:
    for one, other in itertools.combinations(genie.skills, 2):
        alike = difflib.SequenceMatcher(None, _words(one), _words(other), autojunk=False).ratio()
        if one.doc and other.doc and alike >= _ALIKE:
            first, second = sorted((one.name, other.name))
            yield Finding(
                code="skills_alike",
                severity="warning",
                message=f'Skills "{first}" and "{second}" of genie "{genie.name}" are described '
                f"in nearly the same words ({alike:.0%}), so a model can't choose between them.",
                mend="Say in each docstring when to use this one and not the other.",
                **place(other.fn),
            )


def _in_model(genie: Genie, where: dict[str, Any]) -> Iterator[Finding]:
    """That its model can't be asked: there is none of that id, or here is no key for it."""
    try:
        resolve(genie.model).check()
    except ModelKeyMissing as error:
        yield Finding(
            code=error.code,
            severity="note",
            message=f'Genie "{genie.name}": {error.message}',
            mend="Where the jobs are executed it is needed.",
            **where,
        )
    except ModelError as error:
        yield Finding(
            code=error.code,
            severity="error",
            message=f'Genie "{genie.name}": {error.message}',
            mend="Its tasks would be refused.",
            **where,
        )


def _in_eligibility(genie: Genie, where: dict[str, Any]) -> Iterator[Finding]:
    if found := eligibility.obstacles(genie):
        yield Finding(
            code="genie_not_eligible",
            severity="warning" if any(each.agent for each in found) else "note",
            message=eligibility.in_words(genie, found),
            mend=eligibility.mend(found),
            **where,
        )


def _in_rate_limits(project: Project) -> Iterator[Finding]:
    """That a limit is of a provider or model which no genie asks, maybe for a slip of the pen."""
    models = [genie.model for genie in project.genies.values()]
    asked = {name for model in models for name in _asked_as(model)}
    has_stand_ins = any(isinstance(model, Playbook) for model in models)
    for name in project.rate_limits:
        near = difflib.get_close_matches(name, asked, n=1)
        if name in asked or (has_stand_ins and not near):
            continue
        yield Finding(
            code="rate_limit_unused",
            severity="warning" if near else "note",
            message=f'No genie asks a model that counts as "{name}", so its rate limit bounds '
            f"nothing. They ask {', '.join(sorted(asked)) or 'none'}.",
            mend=f'Did you mean "{near[0]}"?' if near else "Take it out, or leave it for later.",
        )


def _asked_as(model: str | Model | Playbook) -> Iterator[str]:
    """The names under which the requests to a model and to its fallbacks are counted."""
    for read in (named, resolve):  # as it is written, and with LAMPWORK_MODEL in its place
        with suppress(ModelError):
            yield from read(model).paced_as
    if isinstance(model, Model):
        for fallback in model.fallbacks:
            yield from _asked_as(fallback)


def _words(skill: Skill[..., Any]) -> list[str]:
    return skill.doc.lower().split()
