"""Genies that would delegate to themselves: one's skill is a recipe that assigns it a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lampwork.checks.bodies import Bodies, Body
from lampwork.checks.calls import genie_of
from lampwork.checks.finding import Finding

if TYPE_CHECKING:
    import ast

    from lampwork.genies.genie import Genie
    from lampwork.project import Project

__all__ = ["in_project"]


def in_project(project: Project, bodies: Bodies) -> Iterator[Finding]:
    """Findings in the tasks that the recipes among genies' skills lead to."""
    for genie in project.genies.values():
        for chain, body, call in _chains(project, bodies, genie, (genie,)):
            if chain[-1] is genie:
                path = " → ".join(each.name for each in chain)
                yield Finding(
                    code="delegation_cycle",
                    severity="warning",
                    message=f"{body.node.name}() assigns a task to a genie that already works "
                    f"above it ({path}): DelegationCycle.",
                    mend="Assign it to another genie, or do the work in the recipe.",
                    **body.at(call),
                )


def _chains(
    project: Project, bodies: Bodies, genie: Genie, above: tuple[Genie, ...]
) -> Iterator[tuple[tuple[Genie, ...], Body, ast.Call]]:
    """Each task below a genie's skills, with the genies from the first one down to the task's."""
    for skill in genie.skills:
        if skill.recipe is None or (first := bodies.of(skill.fn)) is None:
            continue
        for body in _below(first):
            for call in body.calls:
                if body.method(call) != "assign_task":
                    continue
                assigned = genie_of(project, body, call)
                if assigned is None:
                    continue
                yield (*above, assigned), body, call
                if assigned not in above:
                    yield from _chains(project, bodies, assigned, (*above, assigned))


def _below(first: Body) -> list[Body]:
    """A body, and all that it leads to."""
    found = [first]
    for body in found:
        found += [each for each in body.leads_to if each not in found]
    return found
