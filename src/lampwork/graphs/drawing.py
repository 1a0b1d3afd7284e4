"""A graph while it is drawn: nodes and edges so far, and the ends that lead nowhere yet."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from lampwork.checks.bodies import Body
from lampwork.checks.source import Sources
from lampwork.views.graphs import Edge, Node, NodeKind

__all__ = ["Drawing", "End", "Mark", "Span", "Ways"]

_LONGEST = 120
"""Characters of a node's text."""

_FORMS: frozenset[NodeKind] = frozenset({"branch", "loop", "try", "helper"})
"""What is drawn for the calls in it only."""


@dataclass(frozen=True, slots=True)
class End:
    """A way out of a node that leads nowhere yet."""

    source: str
    label: str = ""
    raises: bool = False


@dataclass(frozen=True, slots=True)
class Ways:
    """The ends that leave what is being read by a statement of their own."""

    returns: list[End] = field(default_factory=list[End])
    raises: list[End] = field(default_factory=list[End])
    breaks: list[End] = field(default_factory=list[End])
    continues: list[End] = field(default_factory=list[End])

    def sizes(self) -> tuple[int, ...]:
        """How many leave by each."""
        return tuple(map(len, (self.returns, self.raises, self.breaks, self.continues)))


@dataclass(frozen=True, slots=True)
class Span:
    """Lines of a file that a node stands for, and what is written there."""

    path: str
    first: int
    last: int
    of: ast.AST


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a drawing had come."""

    nodes: int
    edges: int


class Drawing:
    """Nodes and edges, in the order of the source."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._within: list[str] = []
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.spans: list[list[Span]] = []
        """Those of each node."""
        self._targets: list[int | None] = []
        """Of a node that leads back: the position of the one that it leads to."""

    def add(
        self,
        kind: NodeKind,
        name: str,
        body: Body,
        at: ast.expr | ast.stmt,
        ends: Iterable[End],
        *,
        text: ast.AST | str | None = None,
        waits: bool = False,
        recipe: str | None = None,
        reason: str | None = None,
        back_to: str | None = None,
    ) -> str:
        """A node to which these ends lead; its id."""
        number = len(self.nodes)
        node = Node(
            id=f"n{number}",
            kind=kind,
            name=name,
            text=shortened(at if text is None else text),
            within=self._within[-1] if self._within else None,
            file=self._sources.below(body.file.path),
            line=at.lineno,
            waits=waits,
            recipe=recipe,
            reason=reason,
        )
        self.nodes.append(node)
        self.spans.append([span(body, at)])
        self._targets.append(None if back_to is None else int(back_to[1:]))
        self.lead(ends, node.id)
        return node.id

    def stands_for(self, node: str, body: Body) -> None:
        """Say that a node stands for all of a function, too."""
        self.spans[int(node[1:])].append(span(body, body.node))

    def lead(self, ends: Iterable[End], target: str, *, label: str = "") -> None:
        """Lead these ends to a node, each once; with a label for those that have none."""
        for each in dict.fromkeys(ends):
            edge = Edge(
                source=each.source, target=target, label=each.label or label, raises=each.raises
            )
            self.edges.append(edge)

    @contextmanager
    def within(self, node: str) -> Generator[None]:
        """All that is added meanwhile is a part of that node."""
        self._within.append(node)
        try:
            yield
        finally:
            self._within.pop()

    def mark(self) -> Mark:
        """How far it has come."""
        return Mark(len(self.nodes), len(self.edges))

    def undo(self, mark: Mark) -> None:
        """Take back what was added since."""
        del self.nodes[mark.nodes :], self.spans[mark.nodes :], self._targets[mark.nodes :]
        del self.edges[mark.edges :]

    def does_something(self, mark: Mark) -> bool:
        """Whether more than forms was added since."""
        for node, target in zip(self.nodes[mark.nodes :], self._targets[mark.nodes :], strict=True):
            if node.kind in _FORMS or (target is not None and target >= mark.nodes):
                continue
            return True
        return False


def shortened(what: ast.AST | str) -> str:
    """The source of a node in one line, not longer than people read."""
    text = what if isinstance(what, str) else ast.unparse(what)
    return textwrap.shorten(text, _LONGEST, placeholder=" …")


def span(body: Body, of: ast.expr | ast.stmt) -> Span:
    """The lines that an expression, a statement or a function takes."""
    decorators = of.decorator_list if isinstance(of, ast.FunctionDef | ast.AsyncFunctionDef) else []
    first = min(each.lineno for each in (*decorators, of))
    return Span(str(body.file.path), first, of.end_lineno or of.lineno, of)
