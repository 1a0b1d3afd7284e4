"""The graphs of a project's recipes, each drawn once, with what `check` says at their nodes."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lampwork.checks import check
from lampwork.checks.bodies import Bodies, Body
from lampwork.checks.finding import Finding
from lampwork.checks.source import Sources
from lampwork.graphs.drawing import Drawing, End, Span, span
from lampwork.graphs.statements import Statements
from lampwork.views.graphs import FindingView, FunctionSource, Graph, Node

if TYPE_CHECKING:
    from lampwork.project import Project
    from lampwork.recipe import Recipe

__all__ = ["Graphs"]


class Graphs:
    """Those of one project. Its code does not change while it is loaded, so each is drawn once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._drawn: dict[str, Graph] = {}

    def of(self, name: str) -> Graph:
        """The graph of a recipe. Raises RecipeNotFound."""
        recipe = self._project.find_recipe(name)
        if name not in self._drawn:
            self._drawn[name] = self._draw(recipe)
        return self._drawn[name]

    @cached_property
    def _sources(self) -> Sources:
        return Sources(self._project)

    @cached_property
    def _bodies(self) -> Bodies:
        return Bodies(self._project, self._sources)

    @cached_property
    def _findings(self) -> Sequence[Finding]:
        return check(self._project)

    def _draw(self, recipe: Recipe[..., object]) -> Graph:
        body = self._bodies.of(recipe)
        if body is None:
            return _unread(recipe)
        drawing = Drawing(self._sources)
        reader = Statements(self._project, self._bodies, drawing, body)
        text = f"async def {body.node.name}({ast.unparse(body.node.args)})"
        begin = drawing.add("begin", recipe.name, body, body.node, (), text=text)
        ends = reader.block(body.node.body, [End(begin)])
        leaving = [*ends, *reader.ways.returns, *reader.ways.raises]
        drawing.add("end", recipe.name, body, body.node, leaving, text="")
        drawing.spans[-1] = []
        return Graph(
            recipe=recipe.name,
            nodes=tuple(self._with_findings(drawing)),
            edges=tuple(drawing.edges),
            code=tuple(self._code(each) for each in reader.read.values()),
        )

    def _with_findings(self, drawing: Drawing) -> list[Node]:
        at: dict[int, list[FindingView]] = defaultdict(list)
        for finding in self._findings:
            for number in _nodes_of(finding, drawing.spans):
                at[number].append(self._shown(finding))
        return [replace(node, findings=tuple(at[i])) for i, node in enumerate(drawing.nodes)]

    def _shown(self, finding: Finding) -> FindingView:
        assert finding.file is not None
        assert finding.line is not None
        return FindingView(
            code=finding.code,
            severity=finding.severity,
            message=finding.message,
            mend=finding.mend,
            file=self._sources.below(Path(finding.file)),
            line=finding.line,
        )

    def _code(self, body: Body) -> FunctionSource:
        lines = span(body, body.node)
        return FunctionSource(
            name=body.node.name,
            file=self._sources.below(body.file.path),
            line=lines.first,
            text=body.file.text(lines.first, lines.last),
        )


def _nodes_of(finding: Finding, spans: Sequence[Sequence[Span]]) -> list[int]:
    """The nodes that a finding is about: what is written closest around its line."""
    if finding.file is None or finding.line is None:
        return []
    around = [
        (each.last - each.first, number, each)
        for number, of_node in enumerate(spans)
        for each in of_node
        if each.path == finding.file and each.first <= finding.line <= each.last
    ]
    if not around:
        return []
    closest = min(around, key=lambda each: each[:2])[2]
    return [number for _, number, each in around if each.of is closest.of]


def _unread(recipe: Recipe[..., object]) -> Graph:
    """Of a recipe whose source is not there."""
    why = "its source is not there: it was not written in a file of the project"
    node = Node(
        id="n0",
        kind="unknown",
        name=recipe.name,
        text="",
        within=None,
        file="",
        line=0,
        reason=why,
    )
    return Graph(recipe=recipe.name, nodes=(node,), edges=(), code=())
