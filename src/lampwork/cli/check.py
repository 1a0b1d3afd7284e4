"""`lampwork check`: what is wrong, or looks wrong, with a project."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path

import click
from pydantic_core import to_jsonable_python

from lampwork import faults
from lampwork.checks import Finding, by_gravity, genies, of_fault
from lampwork.checks.source import Sources
from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load
from lampwork.cli.reading import reading
from lampwork.errors import LampworkError
from lampwork.project import Project
from lampwork.views import PauseView


@click.command(
    "check",
    epilog=examples("lampwork check", "lampwork check examples/invoices/project.py --json"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@shared
def command(project: str | None, options: Options) -> int:
    """Look for mistakes in the project's definitions and recipes; nothing is run.

    Exits with 1 if something will fail. Warnings and notes are for people to judge; a comment
    `# lampwork: allow CODE` on the line says that it is meant so.
    """
    with faults.kept() as kept:
        try:
            checked = load(project)
        except LampworkError:
            # What was wrong before the import broke off may be why it did.
            for line in _lines(by_gravity(map(of_fault, kept))):
                output.warn(line)
            raise
    paused = asyncio.run(reading(options, lambda insights: insights.paused(checked.name)))
    found = by_gravity([*map(of_fault, kept), *checked.check(), *_paused(checked, paused or {})])
    if options.as_json:
        items = to_jsonable_python(found)
        output.say_json({"project": checked.name, "items": items, "next": None})
    else:
        for line in _lines(found):
            output.say(line)
        output.say(_summary(checked, found))
    return 1 if any(finding.severity == "error" for finding in found) else 0


def _paused(project: Project, paused: Mapping[str, PauseView]) -> Iterator[Finding]:
    """The genies that are paused here, which is not in the code."""
    sources = Sources(project)
    for genie, pause in paused.items():
        why = f": {pause.why}" if pause.why else ""
        yield Finding(
            code="genie_paused",
            severity="note",
            message=f'Genie "{genie}" is paused by {pause.by}{why}.',
            mend=f"Its new tasks fail or wait until you type: lampwork genie {genie} start",
            **genies.definition_of(genie, sources),
        )


_MEANING = {
    "error": "will fail",
    "warning": "likely a mistake",
    "note": "good to know",
}


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    """The findings, which are in the order of their gravity, in groups."""
    for severity, group in itertools.groupby(found, attrgetter("severity")):
        findings = list(group)
        yield f"{output.counted(len(findings), severity)} ({_MEANING[severity]})"
        for each in findings:
            yield f"  {_place(each)}{each.code}"
            yield from output.indented(f"{each.message}\n{each.mend}".strip(), "    ").split("\n")
        yield ""


def _place(finding: Finding) -> str:
    if finding.file is None:
        return ""
    file = Path(finding.file)
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{shown}:{finding.line}: "


def _summary(project: Project, found: Sequence[Finding]) -> str:
    size = ", ".join(
        output.counted(len(defined), what)
        for defined, what in (
            (project.recipes, "recipe"),
            (project.genies, "genie"),
            (project.skills, "skill"),
        )
    )
    counts = Counter(finding.severity for finding in found)
    counted = [output.counted(count, severity) for severity, count in counts.items()]
    return f"Project {project.name} ({size}): {', '.join(counted) or 'nothing to find fault with'}."
