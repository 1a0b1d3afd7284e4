"""Calls of the job that will be refused, are never made, or whose answer nobody reads."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lampwork import importable
from lampwork.checks import arguments
from lampwork.checks.bodies import Body
from lampwork.checks.finding import Finding
from lampwork.checks.names import UNKNOWN
from lampwork.checks.source import called
from lampwork.errors import NotImportable, one_of
from lampwork.genies import eligibility
from lampwork.genies.genie import Genie
from lampwork.recipe import Recipe

if TYPE_CHECKING:
    from lampwork.project import Project

__all__ = ["genie_of", "in_body"]

_OWN_TASKS: tuple[Any, ...] = (
    asyncio.gather,
    asyncio.create_task,
    asyncio.ensure_future,
    asyncio.as_completed,
    asyncio.shield,
    asyncio.wait,
    asyncio.run,
    asyncio.run_coroutine_threadsafe,
)
_TIMEOUTS: tuple[Any, ...] = (asyncio.timeout, asyncio.timeout_at, asyncio.wait_for)

_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp)


def in_body(project: Project, body: Body) -> Iterator[Finding]:
    """Findings in one function that recipes run."""
    for call in body.calls:
        yield from _never_awaited(body, call)
        yield from _in_asyncio(body, call)
        yield from arguments.in_call(body, call)
        match body.method(call):
            case "map" | "on_end":
                yield from _not_importable(body, call)
            case "assign_task":
                yield from _in_assignment(project, body, call)
            case _:
                pass


def genie_of(project: Project, body: Body, call: ast.Call) -> Genie | None:
    """To whom a call assigns its task, as far as the source says it."""
    keywords = {each.arg: each.value for each in call.keywords}
    given = call.args[0] if call.args else keywords.get("genie")
    if given is None:
        return None
    meant = body.scope.value(given)
    if isinstance(meant, str):
        return project.genies.get(meant)
    return meant if isinstance(meant, Genie) else None


# --- how calls are made ---


def _never_awaited(body: Body, call: ast.Call) -> Iterator[Finding]:
    parent = body.parents[call]
    if not body.is_job_call(call) and not _is_helper(body, call):
        return
    match parent:
        case ast.Expr():
            pass
        case ast.Assign(targets=[ast.Name(id=name)]) if not _is_read(body, name):
            pass
        case ast.Assign(targets=[ast.Name(id=name)]) if _is_taken_for_its_value(body, name):
            pass
        case ast.Attribute():
            pass
        case ast.Subscript(value=value) if value is call:
            pass
        case _:
            return
    yield Finding(
        code="call_not_awaited",
        severity="error",
        message=f"{ast.unparse(call.func)}(…) is made in {body.node.name}() and never awaited, "
        "so it does not happen.",
        mend="Put `await` before it.",
        **body.at(call),
    )


def _is_helper(body: Body, call: ast.Call) -> bool:
    """Whether it makes a coroutine of the project's own that is given the job."""
    meant = body.scope.value(call.func)
    return body.hands_job_on(call) and (
        isinstance(meant, Recipe) or inspect.iscoroutinefunction(meant)
    )


def _is_read(body: Body, name: str) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load)
        for each in ast.walk(body.node)
    )


def _is_taken_for_its_value(body: Body, name: str) -> bool:
    """Whether a name that is assigned once, a call, is used as what the call gives."""
    uses = [each for each in ast.walk(body.node) if isinstance(each, ast.Name) and each.id == name]
    if sum(isinstance(each.ctx, ast.Store) for each in uses) > 1:
        return False
    return any(_is_value(body, each) for each in uses if isinstance(each.ctx, ast.Load))


def _is_value(body: Body, use: ast.Name) -> bool:
    match body.parents.get(use):
        case ast.Attribute() | ast.FormattedValue() | ast.BinOp():
            return True
        case ast.Subscript(value=value):
            return value is use
        case ast.Call() as call if (method := body.method(call)) is not None:
            return method != "gather"
        case _:
            return False


def _in_asyncio(body: Body, call: ast.Call) -> Iterator[Finding]:
    meant = body.scope.value(call.func)
    name = ast.unparse(call.func)
    given = [*call.args, *(each.value for each in call.keywords)]
    if _is_one_of(meant, _TIMEOUTS):
        parent = body.parents.get(body.parents[call])
        within = parent.body if isinstance(parent, ast.AsyncWith) else []
        if body.works_in(*given, *within):
            yield Finding(
                code="timeout_around_job_call",
                severity="warning",
                message=f"{name}() stands around a call of the job in {body.node.name}(). When it "
                "strikes, the job fails with CallInterrupted: a replay could not do the same.",
                mend="Use job.options(timeout=…), wait_for(…, timeout=…) or deadline=.",
                **body.at(call),
            )
        return
    makes_task = _is_one_of(meant, _OWN_TASKS) or (
        meant is UNKNOWN and called(call) in ("create_task", "ensure_future")
    )
    if makes_task and body.works_in(*given):
        yield Finding(
            code="job_call_in_asyncio_task",
            severity="error",
            message=f"{name}() runs calls of the job in asyncio tasks in {body.node.name}(), where "
            "their order could change from run to run: UnknownCall.",
            mend="Run calls side by side with job.gather(…), and items with job.map(…).",
            **body.at(call),
        )


def _is_one_of(meant: Any, known: tuple[Any, ...]) -> bool:
    return any(meant is each for each in known)


def _not_importable(body: Body, call: ast.Call) -> Iterator[Finding]:
    if not call.args:
        return
    given, verb = call.args[0], body.method(call)
    is_local = isinstance(given, ast.Name) and body.scope.function(given.id) is not None
    if not (isinstance(given, ast.Lambda) or is_local):
        meant = body.scope.value(given)
        if meant is UNKNOWN or isinstance(meant, Recipe) or not callable(meant):
            return
        try:
            importable.name_of(meant)
        except NotImportable:
            pass
        else:
            return
    what = "a lambda" if isinstance(given, ast.Lambda) else ast.unparse(given)
    yield Finding(
        code="function_not_importable",
        severity="error",
        message=f"job.{verb} in {body.node.name}() is given {what}, which can't be found again by "
        "name after a restart: NotImportable.",
        mend="Define it with `def` at the top of a module and pass that.",
        **body.at(call),
    )


# --- tasks ---


def _in_assignment(project: Project, body: Body, call: ast.Call) -> Iterator[Finding]:
    genie = genie_of(project, body, call)
    if genie is None:
        return
    if genie.project is not project:
        yield Finding(
            code="genie_not_in_project",
            severity="error",
            message=f'{body.node.name}() assigns a task to genie "{genie.name}" of project '
            f'"{genie.project.name}": GenieNotInProject.',
            mend="Define a genie of this project for it.",
            **body.at(call),
        )
        return
    if genie.lacks_skills:
        return
    yield from arguments.in_assignment(body, call, genie)
    yield from _not_eligible(body, call, genie)
    yield from _unknown_metadata(body, call, genie)
    yield from _answer_dropped(body, call, genie)


def _not_eligible(body: Body, call: ast.Call, genie: Genie) -> Iterator[Finding]:
    """A task in the background for a genie that takes none; if the source may say that public
    documents are enough, as if it did.
    """
    keywords = {each.arg for each in call.keywords}
    found = eligibility.obstacles(genie, public_only=not keywords.isdisjoint({"knowledge", None}))
    if found:
        yield Finding(
            code="genie_not_eligible",
            severity="error",
            message=f"{body.node.name}() assigns a task, and {eligibility.in_words(genie, found)}",
            mend=eligibility.mend(found),
            **body.at(call),
        )


def _unknown_metadata(body: Body, call: ast.Call, genie: Genie) -> Iterator[Finding]:
    given = next((each.value for each in call.keywords if each.arg == "metadata"), None)
    keys = given.keys if isinstance(given, ast.Dict) else []
    for each in keys:
        if isinstance(each, ast.Constant) and each.value not in genie.metadata:
            yield Finding(
                code="metadata_unknown",
                severity="error",
                message=f'{body.node.name}() gives metadata "{each.value}" to genie '
                f'"{genie.name}", none of whose skills declares it: MetadataUnknown.',
                mend=one_of(str(each.value), genie.metadata)
                if genie.metadata
                else "Declare it as a Metadata[…] parameter of a skill.",
                **body.at(each),
            )


def _answer_dropped(body: Body, call: ast.Call, genie: Genie) -> Iterator[Finding]:
    """A task whose answer nobody reads: of no use, or one for each item, to tell somebody."""
    if not _is_dropped(body, call):
        return
    what = f'{body.node.name}() drops the answer of its task for genie "{genie.name}"'
    if not genie.skills:
        yield Finding(
            code="answer_unused",
            severity="warning",
            message=f"{what}, which has no skills: nothing comes of it.",
            mend="Use its output, give the genie a skill, or drop the task.",
            **body.at(call),
        )
    elif body.per_item or any(isinstance(each, _LOOPS) for each in body.around(call)):
        yield Finding(
            code="answer_unused",
            severity="note",
            message=f"{what}, one for each item. A task is for an answer; if it is to tell "
            "somebody something, a model is asked for each of them.",
            mend="Send it in a step; app events, which are meant for this, are still to come.",
            **body.at(call),
        )


def _is_dropped(body: Body, call: ast.Call) -> bool:
    """Whether what the call gives, alone or in a gather, is the value of a whole statement."""
    for each in body.around(call):
        match each:
            case ast.Await() | ast.Starred() | ast.ListComp() | ast.GeneratorExp():
                continue
            case ast.Call() if body.method(each) == "gather":
                continue
            case _:
                return isinstance(each, ast.Expr)
    return False
