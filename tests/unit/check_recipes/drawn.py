"""A recipe's graph in words, as these tests compare it."""

from __future__ import annotations

from collections.abc import Callable

from lampwork.views import Graph, Node

Draw = Callable[..., Graph]


def called(node: Node) -> str:
    return node.kind if node.kind in ("begin", "end", "gather") else f"{node.kind} {node.name}"


def ways(graph: Graph) -> list[str]:
    """Its edges, in words."""
    names = {each.id: called(each) for each in graph.nodes}
    return [
        f"{names[each.source]} {f'-{each.label}' if each.label else ''}"
        f"{'!' if each.raises else ''}> {names[each.target]}"
        for each in graph.edges
    ]


def nodes(graph: Graph) -> list[str]:
    """Its nodes between begin and end, each below the one that it is a part of."""
    depth: dict[str | None, int] = {None: -1}
    for each in graph.nodes:
        depth[each.id] = depth[each.within] + 1
    return ["  " * depth[each.id] + called(each) for each in graph.nodes[1:-1]]


def unknown(graph: Graph) -> list[tuple[str, str]]:
    return [(each.name, each.reason or "") for each in graph.nodes if each.kind == "unknown"]
