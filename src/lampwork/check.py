"""What is wrong, or looks wrong, with a project's definitions, found without running anything."""

from __future__ import annotations

import ast
import difflib
import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lampwork import values
from lampwork.errors import ModelError, ModelKeyMissing, ResultNotRecordable
from lampwork.genies import eligibility
from lampwork.importable import source_file
from lampwork.models.resolve import resolve

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.genies.skill import Skill
    from lampwork.project import Project

__all__ = ["Finding", "check"]

Severity = Literal["error", "warning", "note"]

_GRAVITY: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}

_TOO_MANY = 10
"""Parameters of a skill with which models begin to go wrong."""

_ALIKE = 0.9
"""How near to each other two descriptions are, from 0 to 1, when a model can't tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that `check` has found."""

    code: str
    severity: Severity
    """`error`: it will fail; `warning`: it is likely a mistake; `note`: good to know."""
    message: str
    mend: str
    """What to do about it."""
    file: str | None = None
    line: int | None = None


def check(project: Project) -> list[Finding]:
    """All that is found in a project, the gravest first, then by place."""
    found = [
        *_in_skills(project),
        *_in_recipes(project),
        *_in_metadata(project),
        *itertools.chain.from_iterable(map(_in_genie, project.genies.values())),
    ]
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda f: (_GRAVITY[f.severity], f.file or "", f.line or 0))


# --- skills ---


def _in_skills(project: Project) -> Iterator[Finding]:
    for skill in _skills(project):
        where = _place(skill.fn)
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
                **_place(base.search),
            )


def _in_recipes(project: Project) -> Iterator[Finding]:
    for recipe in project.recipes.values():
        try:
            returns = values.return_type(recipe.fn)
        except ResultNotRecordable as error:
            yield _not_recordable(str(error), _place(recipe.fn))
            continue
        yield from _unrecordable(f"what recipe {recipe.name} returns", returns, _place(recipe.fn))


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


def _skills(project: Project) -> Iterable[Skill[..., Any]]:
    """The project's own, and those that recipes have become for some genie."""
    of_genies = (
        skill for genie in project.genies.values() for skill in genie.skills if skill.recipe
    )
    return {skill.fn: skill for skill in (*project.skills.values(), *of_genies)}.values()


# --- genies ---


def _in_genie(genie: Genie) -> Iterator[Finding]:
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
                **_place(other.fn),
            )
    yield from _in_model(genie)
    if found := eligibility.obstacles(genie):
        yield Finding(
            code="genie_not_eligible",
            severity="note",
            message=eligibility.in_words(genie, found),
            mend=eligibility.mend(found),
        )


def _in_model(genie: Genie) -> Iterator[Finding]:
    """That its model can't be asked: there is none of that id, or here is no key for it."""
    try:
        resolve(genie.model).check()
    except ModelKeyMissing as error:
        yield Finding(
            code=error.code,
            severity="note",
            message=f'Genie "{genie.name}": {error.message}',
            mend="Where the jobs are executed it is needed.",
        )
    except ModelError as error:
        yield Finding(
            code=error.code,
            severity="error",
            message=f'Genie "{genie.name}": {error.message}',
            mend="Its tasks would be refused.",
        )


def _words(skill: Skill[..., Any]) -> list[str]:
    return skill.doc.lower().split()


# --- metadata: what recipes give, as far as their source says it ---


def _in_metadata(project: Project) -> Iterator[Finding]:
    given = _given(project)
    if given is None:
        return
    for skill in _skills(project):
        for key in skill.metadata.values():
            if key.required and key.name not in given:
                yield Finding(
                    code="metadata_never_given",
                    severity="warning",
                    message=f'Skill "{skill.name}" needs metadata "{key.name}", which no recipe '
                    "gives: in their tasks it is withheld.",
                    mend=f'Assign the task with metadata={{"{key.name}": …}}.',
                    **_place(skill.fn),
                )


def _given(project: Project) -> set[str] | None:
    """Every key that a recipe gives to some task; None where the source does not say it all."""
    keys = set[str]()
    assigns = False
    for file in _sources(project):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if not isinstance(node, ast.Call):
                continue
            of_task = _name(node.func) == "assign_task"
            assigns |= of_task
            for keyword in node.keywords:
                named = _keys(keyword, of_task=of_task)
                if named is None:
                    return None
                keys |= named
    return keys if assigns else None


def _sources(project: Project) -> set[Path]:
    """The files of the recipes, and those beside and below them that are imported."""
    files = {source_file(recipe.fn) for recipe in project.recipes.values()}
    folders = {Path(file).parent for file in filter(None, files)}
    imported = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {
        Path(file)
        for file in filter(None, imported)
        if file.endswith(".py")
        and "site-packages" not in file
        and not folders.isdisjoint(Path(file).parents)
    }


def _name(called: ast.expr) -> str:
    match called:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


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


def _place(fn: Callable[..., Any]) -> dict[str, Any]:
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        return {}
    return {"file": code.co_filename, "line": code.co_firstlineno}
