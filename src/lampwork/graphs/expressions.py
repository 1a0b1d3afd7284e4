"""Reads expressions in the order in which they are evaluated, and draws the calls in them."""

from __future__ import annotations

import ast
import builtins
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lampwork.checks.bodies import Bodies, Body
from lampwork.checks.names import own_nodes
from lampwork.checks.source import Def
from lampwork.graphs import job_calls
from lampwork.graphs.drawing import Drawing, End, Ways, shortened
from lampwork.graphs.job_calls import KINDS, QUIET, RUNS, WAITS

if TYPE_CHECKING:
    from lampwork.project import Project

__all__ = ["Expressions"]

_MOST = 1000
"""Nodes after which no further function is followed."""

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Expressions(ABC):
    """What is read within functions of a recipe: `self.body` is the one that is being read."""

    def __init__(self, project: Project, bodies: Bodies, drawing: Drawing, body: Body) -> None:
        self.project = project
        self.bodies = bodies
        self.drawing = drawing
        self.body = body
        self.ways: Ways = Ways()
        self.read: dict[Def, Body] = {body.node: body}
        """The functions that were drawn."""
        self._around: dict[Def, str] = {}
        """The functions that are being drawn, and the nodes of the calls that led to them."""
        self._silent: set[Def] = set()
        """Functions in which nothing of the job was found."""

    @abstractmethod
    def block(self, statements: Sequence[ast.stmt], ends: list[End]) -> list[End]:
        """Draw statements; their open ends."""

    def add(self, kind: Any, name: str, at: Any, ends: Sequence[End], **facts: Any) -> str:
        """A node of the function that is being read."""
        return self.drawing.add(kind, name, self.body, at, ends, **facts)

    def unknown(self, name: str, at: ast.expr | ast.stmt, ends: list[End], why: str) -> list[End]:
        """Something that can't be read, and why."""
        return [End(self.add("unknown", name, at, ends, reason=why))]

    def kept(self, ends: list[End], draw: Callable[[], list[End]]) -> list[End]:
        """What is drawn, if it does something or leaves what is around it; else nothing of it."""
        mark, sizes = self.drawing.mark(), self.ways.sizes()
        after = draw()
        if self.drawing.does_something(mark) or self.ways.sizes() != sizes:
            return after
        self.drawing.undo(mark)
        return ends

    def expressions(self, nodes: Sequence[ast.expr | None], ends: list[End]) -> list[End]:
        """Draw expressions, one after the other."""
        for each in nodes:
            ends = self.expression(each, ends)
        return ends

    def expression(self, node: ast.AST | None, ends: list[End]) -> list[End]:
        """Draw what is called in an expression."""
        match node:
            case None:
                return ends
            case ast.Call():
                return self._call(node, ends)
            case ast.IfExp():
                return self._choice(node, ends)
            case ast.BoolOp():
                return self._short_circuit(node, ends)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self._comprehension(node, ends)
            case ast.Lambda():
                return self._lambda(node, ends)
            case ast.Name() | ast.Attribute():
                return self._mentioned(node, ends)
            case _:
                for child in ast.iter_child_nodes(node):
                    ends = self.expression(child, ends)
                return ends

    # --- calls ---

    def _call(self, call: ast.Call, ends: list[End]) -> list[End]:
        method = self.body.method(call)
        if method is None:
            return self._other_call(call, ends)
        assert isinstance(call.func, ast.Attribute)
        if not isinstance(call.func.value, ast.Name):  # what options are given
            ends = self.expression(call.func.value, ends)
        if method == "gather":
            return self._gather(call, ends)
        ends = self._arguments(call, ends, without_first=method in RUNS)
        if method in QUIET:
            return ends
        if method not in KINDS:
            return self.unknown(f"job.{method}", call, ends, f"the job has no {method}()")
        return self._job_call(call, method, ends)

    def _job_call(self, call: ast.Call, method: str, ends: list[End]) -> list[End]:
        what = job_calls.named(self.project, self.body, call, method)
        node = self.add(
            KINDS[method],
            what.name,
            call,
            ends,
            waits=KINDS[method] in WAITS,
            recipe=what.recipe,
            reason=what.reason,
        )
        below = self.bodies.led_to(self.body, call) if method in ("map", "on_end") else None
        if below is None or what.recipe is not None:
            return [End(node)]
        label = "each" if method == "map" else "after the end"
        inside = self._within(node, below, [End(node, label)])
        if method == "on_end" or inside is None:
            return [End(node)]
        self.ways.raises.extend(inside.raises)
        return inside.returns

    def _gather(self, call: ast.Call, ends: list[End]) -> list[End]:
        node = self.add("gather", "gather", call, ends, waits=True)
        after: list[End] = []
        with self.drawing.within(node):
            for each in call.args:
                after += self.expression(each, [End(node)])
        after = self._unlabelled(node, after)
        for keyword in call.keywords:
            after = self.expression(keyword.value, after)
        return after

    def _unlabelled(self, node: str, ends: list[End]) -> list[End]:
        """Ends, without the bare one of a node if others lead on from it."""
        others = [each for each in dict.fromkeys(ends) if each != End(node)]
        return others or [End(node)]

    def _other_call(self, call: ast.Call, ends: list[End]) -> list[End]:
        if isinstance(call.func, ast.Attribute):
            ends = self.expression(call.func.value, ends)
        elif not isinstance(call.func, ast.Name):
            ends = self.expression(call.func, ends)
        ends = self._arguments(call, ends, without_jobs=True)
        if (below := self.bodies.led_to(self.body, call)) is not None:
            return self._follow(call, below, ends)
        if not self.body.hands_job_on(call) or self._is_harmless(call):
            return ends
        name = ast.unparse(call.func)
        if self.body.scope.value(call.func) is getattr:
            why = "which call of the job it is, only a run can tell"
        else:
            why = f"{name}() is given the job, and its source can't be found in the project"
        return self.unknown(name, call, ends, why)

    def _arguments(
        self,
        call: ast.Call,
        ends: list[End],
        *,
        without_first: bool = False,
        without_jobs: bool = False,
    ) -> list[End]:
        given = [*call.args[without_first:], *(each.value for each in call.keywords)]
        return self.expressions(
            [each for each in given if not (without_jobs and self.body.is_job(each))], ends
        )

    def _is_harmless(self, call: ast.Call) -> bool:
        """Whether it only looks at the job."""
        meant = self.body.scope.value(call.func)
        return meant is typing.cast or (
            meant is not getattr and getattr(meant, "__module__", None) == builtins.__name__
        )

    # --- functions ---

    def _follow(self, call: ast.Call, below: Body, ends: list[End]) -> list[End]:
        name = below.node.name
        if below.node in self._silent:
            return ends
        if (around := self._around.get(below.node)) is not None:
            node = self.add("again", name, call, ends, back_to=around)
            self.drawing.lead([End(node)], around, label="again")
            return [End(node)]
        mark = self.drawing.mark()
        if self.body.hands_job_on(call) and not below.jobs:
            return self.unknown(name, call, ends, f"{name}() takes the job among others, unnamed")
        if mark.nodes >= _MOST:
            why = f"more than {_MOST} nodes: what it does is not drawn"
            return self.unknown(name, call, ends, why)
        node = self.add("helper", name, call, ends, reason=_decorated(below.node))
        self.drawing.stands_for(node, below)
        inside = self._within(node, below, [End(node)])
        if inside is None or not self.drawing.does_something(mark):
            self.drawing.undo(mark)
            self._silent.add(below.node)
            self.read.pop(below.node, None)
            return ends
        if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in below.nodes):
            self.drawing.undo(mark)
            why = f"{name}() is a generator: who reads it decides when it makes its calls"
            return self.unknown(name, call, ends, why)
        self.ways.raises.extend(inside.raises)
        return inside.returns

    def _within(self, node: str, below: Body, ends: list[End]) -> Ways | None:
        """Draw a function as a part of a node; the ways out of it, or None if it is around."""
        if below.node in self._around:
            return None
        self.read[below.node] = below
        with self.drawing.within(node), self._reading(below, node):
            self.ways.returns.extend(self.block(below.node.body, ends))
            return self.ways

    @contextmanager
    def _reading(self, below: Body, node: str) -> Generator[None]:
        """Read another function meanwhile."""
        outer, self.body = self.body, below
        ways, self.ways = self.ways, Ways()
        self._around[below.node] = node
        try:
            yield
        finally:
            del self._around[below.node]
            self.body, self.ways = outer, ways

    # --- forms ---

    def branch(self, label: str, at: Any, ends: list[End], text: Any) -> str:
        """A node at which one of several ways is taken."""
        return self.add("branch", label, at, ends, text=text)

    def _choice(self, node: ast.IfExp, ends: list[End]) -> list[End]:
        ends = self.expression(node.test, ends)

        def draw() -> list[End]:
            here = self.branch(shortened(node.test), node, ends, node)
            with self.drawing.within(here):
                yes = self.expression(node.body, [End(here, "yes")])
                return yes + self.expression(node.orelse, [End(here, "no")])

        return self.kept(ends, draw)

    def _short_circuit(self, node: ast.BoolOp, ends: list[End]) -> list[End]:
        first, *others = node.values
        ends = self.expression(first, ends)
        go_on, stop = ("yes", "no") if isinstance(node.op, ast.And) else ("no", "yes")

        def draw() -> list[End]:
            here = self.branch(shortened(first), node, ends, node)
            with self.drawing.within(here):
                return [*self.expressions(others, [End(here, go_on)]), End(here, stop)]

        return self.kept(ends, draw)

    def _comprehension(self, node: _Comprehension, ends: list[End]) -> list[End]:
        first, *others = node.generators
        ends = self.expression(first.iter, ends)

        def draw() -> list[End]:
            what = f"for {ast.unparse(first.target)} in {ast.unparse(first.iter)}"
            here = self.add("loop", shortened(what), node, ends)
            with self.drawing.within(here):
                inside = self.expressions(first.ifs, [End(here, "each")])
                for each in others:
                    inside = self.expressions([each.iter, *each.ifs], inside)
                made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
                inside = self.expressions(made, inside)
            self.drawing.lead(inside, here, label="again")
            return [End(here, "done")]

        return self.kept(ends, draw)

    # --- what is only mentioned ---

    def _lambda(self, node: ast.Lambda, ends: list[End]) -> list[End]:
        if not self._mentions_job(node):
            return ends
        why = "a lambda with the job in it: who is given it decides when it is called"
        return self.unknown("lambda", node, ends, why)

    def _mentioned(self, node: ast.Name | ast.Attribute, ends: list[End]) -> list[End]:
        body = self.body
        if isinstance(node, ast.Attribute):
            if not body.is_job(node.value):
                return self.expression(node.value, ends)
            if node.attr in QUIET:
                return ends
            why = "it is passed on: who is given it decides when it is called"
            return self.unknown(f"job.{node.attr}", node, ends, why)
        if body.is_job(node):
            return self.unknown(node.id, node, ends, "the job is passed on, out of sight")
        own = body.scope.function(node.id)
        if own is None or not isinstance(node.ctx, ast.Load) or not self._mentions_job(own[0]):
            return ends
        why = f"{node.id}() is passed on: who is given it decides when it is called"
        return self.unknown(node.id, node, ends, why)

    def _mentions_job(self, node: ast.AST) -> bool:
        """Whether the job, or a function that has it, is named anywhere in it."""
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if not names.isdisjoint(self.body.jobs):
            return True
        local = (self.body.scope.function(name) for name in names)
        return any(
            isinstance(each, ast.Name) and each.id in self.body.jobs
            for found in local
            if found is not None
            for each in own_nodes(found[0])
        )


def _decorated(function: Def) -> str | None:
    """That what is around a function is not drawn."""
    around = [ast.unparse(each) for each in function.decorator_list]
    return f"what {' and '.join(around)} does around it is not drawn" if around else None
