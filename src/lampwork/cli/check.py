"""`lampwork check`: what is wrong, or looks wrong, with a project."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from pathlib import Path

import click
from pydantic_core import to_jsonable_python

from lampwork.check import Finding
from lampwork.cli import output
from lampwork.cli.options import Options, shared
from lampwork.cli.project import load
from lampwork.cli.reading import reading
from lampwork.insights import PauseView
from lampwork.project import Project


@click.command("check")
@click.argument("project", required=False, metavar="[PROJECT]")
@shared
def command(project: str | None, home: Path | None, as_json: bool) -> int:
    """Look for mistakes in the project's definitions; nothing is run.

    Exits with 1 if something will fail. Warnings and notes are for people to judge.
    """
    checked = load(project)
    paused = asyncio.run(
        reading(Options(home, as_json), lambda insights: insights.paused(checked.name))
    )
    found = [*checked.check(), *itertools.starmap(_paused, (paused or {}).items())]
    if as_json:
        items = to_jsonable_python(found)
        output.say_json({"project": checked.name, "items": items, "next": None})
    else:
        for finding in found:
            output.say(f"{_place(finding)}{finding.severity}: {finding.message} {finding.mend}")
        output.say(_summary(checked, found))
    return 1 if any(finding.severity == "error" for finding in found) else 0


def _paused(genie: str, pause: PauseView) -> Finding:
    """That a genie is paused here, which is not in the code."""
    why = f": {pause.why}" if pause.why else ""
    return Finding(
        code="genie_paused",
        severity="note",
        message=f'Genie "{genie}" is paused by {pause.by}{why}.',
        mend=f"Its new tasks fail or wait until you type: lampwork genie {genie} start",
    )


def _place(finding: Finding) -> str:
    if finding.file is None:
        return ""
    file = Path(finding.file)
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{shown}:{finding.line}: "


def _summary(project: Project, found: list[Finding]) -> str:
    size = ", ".join(
        output.counted(len(defined), what)
        for defined, what in (
            (project.recipes, "recipe"),
            (project.genies, "genie"),
            (project.skills, "skill"),
        )
    )
    counts = Counter(finding.severity for finding in found)
    faults = [output.counted(count, severity) for severity, count in counts.items()]
    return f"Project {project.name} ({size}): {', '.join(faults) or 'nothing to find fault with'}."
