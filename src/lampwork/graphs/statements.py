"""Reads statements in their order, and draws where they branch, repeat and leave."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lampwork.graphs.drawing import End, Ways, shortened
from lampwork.graphs.expressions import Expressions

__all__ = ["Statements"]


class Statements(Expressions):
    """A recipe's function, and all that it leads to."""

    def block(self, statements: Sequence[ast.stmt], ends: list[End]) -> list[End]:
        """Draw statements, up to the first that is never reached; their open ends."""
        for each in statements:
            if not ends:
                break
            ends = self._statement(each, ends)
        return ends

    def _statement(self, node: ast.stmt, ends: list[End]) -> list[End]:
        match node:
            case ast.If():
                return self._if(node, ends)
            case ast.Match():
                return self._match(node, ends)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node, ends)
            case ast.Try() | ast.TryStar():
                return self.kept(ends, lambda: self._try(node, ends))
            case ast.With() | ast.AsyncWith():
                ends = self.expressions([each.context_expr for each in node.items], ends)
                return self.block(node.body, ends)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return ends  # it is read where it is called
            case ast.ClassDef():
                return self._class(node, ends)
            case _:
                return self._plain(node, ends)

    def _plain(self, node: ast.stmt, ends: list[End]) -> list[End]:
        match node:
            case ast.Return():
                self.ways.returns.extend(self.expression(node.value, ends))
            case ast.Raise():
                ends = self.expressions([node.exc, node.cause], ends)
                self.ways.raises.extend(replace(each, raises=True) for each in ends)
            case ast.Break():
                self.ways.breaks.extend(ends)
            case ast.Continue():
                self.ways.continues.extend(ends)
            case ast.Assign(targets=[ast.Name()], value=value) if self.body.is_job(value):
                return ends  # the job under another name, or with options
            case ast.Assign(targets=targets, value=value):
                return self.expressions([value, *targets], ends)
            case ast.AnnAssign(target=target, value=value):
                return self.expressions([value, target], ends)
            case _:
                children = (each for each in ast.iter_child_nodes(node))
                return self.expressions([c for c in children if isinstance(c, ast.expr)], ends)
        return []

    def _class(self, node: ast.ClassDef, ends: list[End]) -> list[End]:
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if names.isdisjoint(self.body.jobs):
            return ends
        why = f"class {node.name} has the job in it: what its methods call is not followed"
        return self.unknown(node.name, node, ends, why)

    # --- branches ---

    def _if(self, node: ast.If, ends: list[End]) -> list[End]:
        ends = self.expression(node.test, ends)

        def draw() -> list[End]:
            text = f"if {ast.unparse(node.test)}"
            here = self.branch(shortened(node.test), node, ends, text)
            with self.drawing.within(here):
                yes = self.block(node.body, [End(here, "yes")])
                return yes + self.block(node.orelse, [End(here, "no")])

        return self.kept(ends, draw)

    def _match(self, node: ast.Match, ends: list[End]) -> list[End]:
        ends = self.expression(node.subject, ends)

        def draw() -> list[End]:
            text = f"match {ast.unparse(node.subject)}"
            here = self.branch(shortened(node.subject), node, ends, text)
            after: list[End] = []
            with self.drawing.within(here):
                for case in node.cases:
                    guard = f" if {ast.unparse(case.guard)}" if case.guard else ""
                    label = shortened(f"case {ast.unparse(case.pattern)}{guard}")
                    inside = self.expression(case.guard, [End(here, label)])
                    after += self.block(case.body, inside)
            return after if _takes_all(node) else [*after, End(here, "no case")]

        return self.kept(ends, draw)

    # --- loops ---

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, ends: list[End]) -> list[End]:
        endless = isinstance(node, ast.While) and _is_true(node.test)
        if not isinstance(node, ast.While):
            ends = self.expression(node.iter, ends)

        def draw() -> list[End]:
            if isinstance(node, ast.While):
                what, go_on, done = f"while {ast.unparse(node.test)}", "yes", "no"
            else:
                what = f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}"
                go_on, done = "each", "done"
            here = self.add("loop", shortened(what), node, ends, text=what)
            outer, self.ways = self.ways, Ways(self.ways.returns, self.ways.raises)
            with self.drawing.within(here):
                inside = [End(here, "" if endless else go_on)]
                if isinstance(node, ast.While) and not endless:
                    inside = self._test(node.test, here, inside)
                inside = self.block(node.body, inside)
            self.drawing.lead([*inside, *self.ways.continues], here, label="again")
            breaks, self.ways = self.ways.breaks, outer
            over = [] if endless else self.block(node.orelse, [End(here, done)])
            return over + breaks

        return self.kept(ends, draw)

    def _test(self, test: ast.expr, loop: str, ends: list[End]) -> list[End]:
        """What a `while` asks the job each time."""
        after = self.expression(test, ends)
        return ends if after == ends else [replace(each, label="yes") for each in after]

    # --- errors ---

    def _try(self, node: ast.Try | ast.TryStar, ends: list[End]) -> list[End]:
        what = ", ".join(map(_caught, node.handlers)) or "finally"
        here = self.add("try", what, node, ends, text=f"try … {what}")
        outer = self.ways
        leaving = Ways() if node.finalbody else Ways(*_lists(outer))
        with self.drawing.within(here):
            self.ways = replace(leaving, raises=[])
            after = self.block(node.body, [End(here)])
            thrown = self.ways.raises
            self.ways = leaving
            after = self.block(node.orelse, after)
            for handler in node.handlers:
                caught = _caught(handler)
                entry = [End(here, caught), *(replace(each, label=caught) for each in thrown)]
                after += self.block(handler.body, entry)
            if not node.handlers:
                leaving.raises.extend(thrown)
            self.ways = outer
            return self._finally(node.finalbody, after, leaving) if node.finalbody else after

    def _finally(
        self, statements: Sequence[ast.stmt], after: list[End], leaving: Ways
    ) -> list[End]:
        """What is done on each way out: drawn once, all ways lead through it."""
        ways = [
            (leaving_by, to)
            for leaving_by, to in zip(_lists(leaving), _lists(self.ways), strict=True)
        ]
        mark = self.drawing.mark()
        entry = [*after, *(end for leaving_by, _ in ways for end in leaving_by)]
        done = self.block(statements, entry)
        if not self.drawing.does_something(mark):
            self.drawing.undo(mark)
            for leaving_by, to in ways:
                to.extend(leaving_by)
            return after
        for leaving_by, to in ways:
            if leaving_by:
                to.extend(replace(each, raises=to is self.ways.raises) for each in done)
        return done if after else []


def _lists(ways: Ways) -> Iterable[list[End]]:
    return ways.returns, ways.raises, ways.breaks, ways.continues


def _caught(handler: ast.ExceptHandler) -> str:
    return "except" if handler.type is None else f"except {ast.unparse(handler.type)}"


def _takes_all(node: ast.Match) -> bool:
    """Whether one of its cases takes whatever there is."""
    return any(
        case.guard is None
        and isinstance(case.pattern, ast.MatchAs)
        and case.pattern.pattern is None
        for case in node.cases
    )


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)
