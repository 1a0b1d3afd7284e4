"""The code that recipes run themselves and that is replayed: not what steps and skills do."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from lampwork.checks.names import UNKNOWN, Scope, own_nodes
from lampwork.checks.source import Def, File, Sources
from lampwork.job import Job
from lampwork.recipe import Recipe, takes_job

if TYPE_CHECKING:
    from lampwork.project import Project

__all__ = ["Bodies", "Body"]

_STARTS = ("map", "call", "start", "on_end")
"""Job calls whose first argument is run as a job of its own."""


def _is_awaited(method: Any) -> bool:
    returns = str(getattr(method, "__annotations__", {}).get("return", ""))
    return inspect.iscoroutinefunction(method) or returns.startswith(("JobCall", "Gather"))


_AWAITED = {name for name, each in vars(Job).items() if name[0] != "_" and _is_awaited(each)}
"""The job calls that must be awaited, and that a run makes under a number."""


@dataclass(eq=False)
class Body:
    """One function of a recipe: the recipe's own, or one that it calls, maps or starts."""

    node: Def
    scope: Scope
    file: File
    jobs: set[str]
    """The names under which it has its job."""
    per_item: bool = False
    """Whether it is run for each item of a `map`."""
    leads_to: list[Body] = field(default_factory=list["Body"])

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All that stands in it, in order."""
        return list(own_nodes(self.node))

    @cached_property
    def calls(self) -> list[ast.Call]:
        """All calls in it, in order."""
        return [each for each in self.nodes if isinstance(each, ast.Call)]

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Within what each of its nodes stands."""
        return {
            child: node for node in [self.node, *self.nodes] for child in ast.iter_child_nodes(node)
        }

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node stands in, from the inside out, within this function."""
        while (node := self.parents.get(node, self.node)) is not self.node:
            yield node

    def at(self, node: ast.expr | ast.stmt | ast.ExceptHandler) -> dict[str, Any]:
        """Where a node stands, as the fields of a Finding."""
        return {"file": str(self.file.path), "line": node.lineno}

    def is_job(self, expression: ast.expr) -> bool:
        """Whether an expression is the job, with options or without."""
        match expression:
            case ast.Name(id=name):
                return name in self.jobs
            case ast.Call(func=ast.Attribute(value=of, attr="options")):
                return self.is_job(of)
            case _:
                return False

    def method(self, node: ast.AST) -> str | None:
        """Which method of the job a node calls, if it calls one."""
        match node:
            case ast.Call(func=ast.Attribute(value=of, attr=name)) if self.is_job(of):
                return name
            case _:
                return None

    def is_job_call(self, node: ast.AST) -> bool:
        """Whether a node makes a call of the job that must be awaited."""
        return self.method(node) in _AWAITED

    def hands_job_on(self, node: ast.AST) -> bool:
        """Whether a node calls a function with the job, which can make calls of it then."""
        return (
            isinstance(node, ast.Call)
            and self.method(node) is None
            and any(map(self.is_job, [*node.args, *(each.value for each in node.keywords)]))
        )

    def works_in(self, *nodes: ast.AST) -> bool:
        """Whether calls of the job are made within these nodes."""
        return any(
            self.is_job_call(each) or self.hands_job_on(each)
            for node in nodes
            for each in (node, *own_nodes(node))
        )


class Bodies:
    """The bodies of all recipes of a project, each once."""

    def __init__(self, project: Project, sources: Sources) -> None:
        self._sources = sources
        self._known: dict[Def, Body] = {}
        for recipe in project.recipes.values():
            self.of(recipe)

    def __iter__(self) -> Iterator[Body]:
        return iter(list(self._known.values()))

    def of(
        self,
        given: Any,
        *,
        per_item: bool = False,
        called: tuple[Body, ast.Call] | None = None,
    ) -> Body | None:
        """That of a recipe or function, if it is written in this project; `called` there."""
        fn = given.fn if isinstance(given, Recipe) else given
        if not isinstance(fn, FunctionType) or (found := self._sources.definition(fn)) is None:
            return None
        node, file = found
        jobs = frozenset[str]() if called is None else _given_job(*called, node)
        return self._body(node, lambda: Scope.of(fn, node), file, jobs=jobs, per_item=per_item)

    def _body(
        self,
        node: Def,
        scope: Callable[[], Scope],
        file: File,
        *,
        jobs: frozenset[str] = frozenset(),
        per_item: bool = False,
    ) -> Body:
        if (known := self._known.get(node)) is not None:
            known.per_item |= per_item
            if jobs <= known.jobs:
                return known
            body = known
            body.jobs |= jobs
        else:
            own = {each.arg for each in _parameters(node) if _is_job(each)}
            body = self._known[node] = Body(node, scope(), file, own | jobs, per_item)
        for each in body.nodes:
            match each:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if body.is_job(value):
                    body.jobs.add(name)
                case _:
                    pass
        for call in body.calls:
            below = self.led_to(body, call)
            if below is not None and below not in body.leads_to:
                body.leads_to.append(below)
        return body

    def led_to(self, body: Body, call: ast.Call) -> Body | None:
        """The body that a call leads to: of the function itself, or of the one it gives the job."""
        method = body.method(call)
        if method in _STARTS and call.args:
            started = body.scope.value(call.args[0])
            if method == "on_end" and not _takes_job(started):
                return None  # a plain function makes no calls to wait at, so it runs once
            return self.of(started, per_item=method == "map")
        if method is not None:
            return None
        if isinstance(call.func, ast.Name) and (own := body.scope.function(call.func.id)):
            node, outer = own
            jobs = frozenset(body.jobs) | _given_job(body, call, node)
            return self._body(node, lambda: Scope(node, outer), body.file, jobs=jobs)
        meant = body.scope.value(call.func)
        return None if meant is UNKNOWN else self.of(meant, called=(body, call))


def _given_job(body: Body, call: ast.Call, to: Def) -> frozenset[str]:
    """The parameters of a function that a call gives the job, by whatever names it has them."""
    in_order = [each.arg for each in (*to.args.posonlyargs, *to.args.args)]
    if in_order[:1] == ["self"] and isinstance(call.func, ast.Attribute):
        of = body.scope.value(call.func.value)
        in_order = in_order[not isinstance(of, ModuleType | type) :]
    by_place = zip(in_order, call.args, strict=False)
    by_name = ((each.arg, each.value) for each in call.keywords)
    return frozenset(name for name, each in (*by_place, *by_name) if name and body.is_job(each))


def _takes_job(started: Any) -> bool:
    return isinstance(started, Recipe) or (isinstance(started, FunctionType) and takes_job(started))


def _parameters(node: Def) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _is_job(parameter: ast.arg) -> bool:
    match parameter.annotation:
        case None:
            return parameter.arg == "job"
        case ast.Name(id="Job") | ast.Attribute(attr="Job") | ast.Constant(value="Job"):
            return True
        case _:
            return False
