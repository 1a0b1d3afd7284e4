"""What is wrong, or looks wrong, with a project's definitions, found without running anything.

Recipes are judged by their source, as far as it says what will happen; what only a run can tell is
passed over. A comment `# lampwork: allow <code>` on a line says that it is meant so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lampwork.checks import calls, delegation, genies, metadata, replay, skills, triggers
from lampwork.checks.bodies import Bodies
from lampwork.checks.finding import GRAVITY, Finding
from lampwork.checks.source import Sources
from lampwork.faults import Fault

if TYPE_CHECKING:
    from lampwork.project import Project

__all__ = ["Finding", "by_gravity", "check", "of_fault"]


def check(project: Project) -> list[Finding]:
    """All that is found in a project, the gravest first, then by place."""
    sources = Sources(project)
    bodies = Bodies(project, sources)
    found = itertools.chain(
        skills.in_project(project),
        genies.in_project(project, sources),
        metadata.in_project(project, sources),
        triggers.in_project(project),
        delegation.in_project(project, bodies),
        *(calls.in_body(project, body) for body in bodies),
        *(replay.in_body(body) for body in bodies),
    )
    return by_gravity(each for each in found if not sources.allow(each))


def by_gravity(found: Iterable[Finding]) -> list[Finding]:
    """Findings, each once, the gravest first, then by place."""
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda f: (GRAVITY[f.severity], f.file or "", f.line or 0))


def of_fault(fault: Fault) -> Finding:
    """What was refused where it was defined. Its message ends with what to do."""
    place = f"{fault.file}:{fault.line}"
    message = fault.error.message.removeprefix(f"{place}: ").replace(f" ({place})", "")
    problem, dot, mend = message.rpartition(". ")
    return Finding(
        code=fault.error.code,
        severity="error",
        message=f"{problem}." if dot else message,
        mend=mend if dot else "",
        file=fault.file,
        line=fault.line,
    )
