"""The graph of a recipe, as data: what it may do in which order, and where that is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Edge", "FindingView", "FunctionSource", "Graph", "Node", "NodeKind"]

NodeKind = Literal[
    "begin",
    "end",
    "step",
    "task",
    "app_event",
    "approval",
    "endpoint",
    "sleep",
    "wait_for",
    "value",
    "artifact",
    "call",
    "start",
    "map",
    "on_end",
    "gather",
    "branch",
    "loop",
    "try",
    "helper",
    "again",
    "unknown",
]
"""`step` to `on_end` are calls of the job, under the kinds and names that its record has; `helper`
is a function that the recipe calls, `again` a call of one that is being drawn around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """Something that `check` has found."""

    code: str
    severity: Literal["error", "warning", "note"]
    message: str
    mend: str
    """What to do about it."""
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing that a recipe does, or decides."""

    id: str
    kind: NodeKind
    name: str
    """What is called, assigned to, waited for or decided."""
    text: str
    """Its source, shortened to a line."""
    within: str | None
    """The node that it is a part of: a loop, an arm of a branch, what `try` guards, a helper."""
    file: str
    """Below the folder of the project."""
    line: int
    waits: bool = False
    """Whether the job may be suspended there."""
    recipe: str | None = None
    """The recipe that a child job is of; its graph is one of its own."""
    reason: str | None = None
    """Why all of it could not be read."""
    findings: tuple[FindingView, ...] = ()
    """What `check` says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """That one thing may come after another."""

    source: str
    target: str
    label: str = ""
    """Which way it is: `yes`, `no`, `each`, `done`, `again`, `case …`, `except …`."""
    raises: bool = False
    """Whether an exception is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSource:
    """One function that was read."""

    name: str
    file: str
    line: int
    """Of the first line of `text`."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What a recipe may do, in the order of its source."""

    recipe: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    code: tuple[FunctionSource, ...]
    """The recipe's function, and those that it leads to."""
