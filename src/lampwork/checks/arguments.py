"""What calls of the job are given that they do not take: it would be refused when they are made."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

from lampwork.checks.bodies import Body
from lampwork.checks.finding import Finding
from lampwork.errors import OutputTypeInvalid, one_of
from lampwork.genies.budget import Budget
from lampwork.genies.genie import Genie
from lampwork.genies.output import describe
from lampwork.job import Job
from lampwork.runs.step import Retry
from lampwork.tasks.assignment import Terms

__all__ = ["in_assignment", "in_call"]

_TERMS = {"assign_task": Terms.__annotations__}
"""The keyword arguments that a signature does not list."""


def in_call(body: Body, call: ast.Call) -> Iterator[Finding]:
    """Findings in one call, of the job or of what is given to it."""
    if (method := body.method(call)) is not None:
        if (known := getattr(Job, method, None)) is None:
            names = [name for name in dir(Job) if name[0] != "_"]
            yield _error(body, call, "job_call_unknown", "job", f"{method}()", names)
            return
        yield from _misnamed(body, call, f"job.{method}", known, _TERMS.get(method, ()))
        if method in ("call", "start"):
            yield from _no_recipe(body, call, method)
        return
    meant = body.scope.value(call.func)
    if meant is Budget or meant is Retry:
        yield from _misnamed(body, call, meant.__name__, meant, ())


def in_assignment(body: Body, call: ast.Call, genie: Genie) -> Iterator[Finding]:
    """Findings in the terms of one task, as far as they are written out."""
    for keyword in call.keywords:
        match keyword:
            case ast.keyword(arg="output", value=given):
                yield from _no_output(body, given)
            case ast.keyword(arg="metadata", value=ast.Dict(keys=keys, values=values)):
                for key, value in zip(keys, values, strict=True):
                    yield from _metadata_misfit(body, key, value, genie)
            case _:
                pass


def _misnamed(
    body: Body, call: ast.Call, what: str, known: Any, more: Iterable[str]
) -> Iterator[Finding]:
    parameters = inspect.signature(known).parameters.values()
    if not more and any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [each.name for each in parameters if each.kind in kinds and each.name != "self"]
    names += more
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg not in names:
            yield _error(body, call, "argument_unknown", f"{what}()", f"{keyword.arg}=", names)


def _error(
    body: Body, call: ast.Call, code: str, what: str, lacks: str, known: Iterable[str]
) -> Finding:
    return Finding(
        code=code,
        severity="error",
        message=f"{what} has no {lacks}, which {body.node.name}() uses.",
        mend=one_of(lacks.rstrip("=()"), known),
        **body.at(call),
    )


def _no_recipe(body: Body, call: ast.Call, method: str) -> Iterator[Finding]:
    meant = body.scope.value(call.args[0]) if call.args else None
    if isinstance(meant, FunctionType):
        yield Finding(
            code="not_a_recipe",
            severity="error",
            message=f"job.{method} in {body.node.name}() is given the plain function "
            f"{meant.__name__}: InputInvalid.",
            mend="Decorate it with @project.recipe(), or run it with job.step.",
            **body.at(call),
        )


def _no_output(body: Body, given: ast.expr) -> Iterator[Finding]:
    meant = body.scope.value(given)
    if not isinstance(meant, str | type):
        return
    try:
        describe(meant)
    except OutputTypeInvalid as error:
        yield Finding(
            code=error.code,
            severity="error",
            message=f"{body.node.name}() asks for output={ast.unparse(given)}: {error.message}",
            mend="Give the type itself.",
            **body.at(given),
        )


def _metadata_misfit(
    body: Body, key: ast.expr | None, value: ast.expr, genie: Genie
) -> Iterator[Finding]:
    try:
        name, given = ast.literal_eval(key) if key is not None else None, ast.literal_eval(value)
    except (ValueError, TypeError):  # only a run can tell
        return
    if not isinstance(name, str):
        return
    for skill, declared in genie.metadata.get(name, ()):
        if problem := declared.problem(given):
            yield Finding(
                code="metadata_invalid",
                severity="error",
                message=f'{body.node.name}() gives metadata "{name}" a value that does not fit '
                f'what skill "{skill}" declares: {problem}.',
                mend="Give a value of that type.",
                **body.at(value),
            )
            return
