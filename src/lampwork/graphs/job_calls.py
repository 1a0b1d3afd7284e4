"""How each call of the job is drawn: its kind, and the name that its record has."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampwork.checks.bodies import Body
from lampwork.checks.calls import genie_of
from lampwork.checks.names import UNKNOWN
from lampwork.errors import NotImportable
from lampwork.genies.skill import Skill
from lampwork.recipe import Recipe
from lampwork.runs.step import name_of
from lampwork.views.graphs import NodeKind

if TYPE_CHECKING:
    from lampwork.project import Project

__all__ = ["KINDS", "QUIET", "RUNS", "WAITS", "Named", "named"]

KINDS: dict[str, NodeKind] = {
    "step": "step",
    "assign_task": "task",
    "send_app_event": "app_event",
    "request_approval": "approval",
    "call_endpoint": "endpoint",
    "sleep": "sleep",
    "sleep_until": "sleep",
    "wait_for": "wait_for",
    "now": "value",
    "uuid": "value",
    "random": "value",
    "read_artifact": "artifact",
    "call": "call",
    "start": "start",
    "map": "map",
    "on_end": "on_end",
    "gather": "gather",
}
"""The job's methods that are drawn."""

QUIET: frozenset[str] = frozenset({"id", "trigger", "options", "log", "step_key"})
"""Those that do nothing which one would see in a graph."""

RUNS: frozenset[str] = frozenset({"step", "call", "start", "map", "on_end"})
"""Those whose first argument is a function or a recipe, which they run."""

WAITS: frozenset[NodeKind] = frozenset(
    {"task", "approval", "endpoint", "sleep", "wait_for", "call", "map", "gather"}
)
"""Where a job may be suspended until something happens."""

_DYNAMIC = "which one, only a run can tell"


@dataclass(frozen=True, slots=True)
class Named:
    """What a call of the job is about."""

    name: str
    recipe: str | None = None
    reason: str | None = None


def named(project: Project, body: Body, call: ast.Call, method: str) -> Named:
    """What a call is about, as far as the source says it."""
    given = _first(call)
    if KINDS[method] in ("value", "gather"):
        return Named(method)
    if given is None:
        return Named("", reason=_DYNAMIC)
    written = ast.unparse(given)
    match method:
        case "step":
            return Named(_option(call, "name") or _step(body.scope.value(given)) or written)
        case "assign_task" | "send_app_event":
            genie = genie_of(project, body, call)
            return Named(written, reason=_DYNAMIC) if genie is None else Named(genie.name)
        case "call" | "start" | "map" | "on_end":
            return _child(project, body.scope.value(given), written)
        case _:
            meant = body.scope.value(given)
            return Named(meant if isinstance(meant, str) else written)


def _first(call: ast.Call) -> ast.expr | None:
    """The first argument, by its place or by whatever name."""
    if call.args:
        return None if isinstance(call.args[0], ast.Starred) else call.args[0]
    return next((each.value for each in call.keywords if each.arg is not None), None)


def _option(call: ast.Call, wanted: str) -> str | None:
    """An option that is written out before the call: `job.options(name="weigh").step(…)`."""
    match call.func:
        case ast.Attribute(value=ast.Call(keywords=keywords)):
            for each in keywords:
                if each.arg == wanted and isinstance(each.value, ast.Constant):
                    return str(each.value.value)
        case _:
            pass
    return None


def _step(meant: Any) -> str | None:
    if isinstance(meant, Skill):
        return meant.name
    return name_of(meant) if hasattr(meant, "__qualname__") else None


def _child(project: Project, meant: Any, written: str) -> Named:
    if meant is UNKNOWN or not callable(meant):
        return Named(written, reason=_DYNAMIC)
    try:
        name = project.callable_of(meant)
    except NotImportable as error:
        return Named(written, reason=error.message)
    return Named(name, recipe=name if isinstance(meant, Recipe) else None)
