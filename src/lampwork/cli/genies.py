"""`lampwork genies`: the list of a project's genies."""

from __future__ import annotations

import asyncio

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import from_project
from lampwork.cli.source import ProjectSource
from lampwork.views import GenieView, to_json


@click.command(
    "genies",
    epilog=examples("lampwork genies", "lampwork genies examples/invoices/project.py"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@shared
def command(project: str | None, options: Options) -> int:
    """List the genies of a project: their models and skills, and who can take tasks."""

    async def read(source: ProjectSource) -> tuple[str, tuple[GenieView, ...]]:
        return await source.project(), await source.genies()

    name, found = asyncio.run(from_project(options, project, read))
    if options.as_json:
        output.say_json({"items": to_json(found), "next": None})
    elif not found:
        output.say(f'Project {name} has no genies. Define one: project.genie("name", …).')
    else:
        output.table(
            ("GENIE", "STATUS", "TASKS", "MODEL", "SKILLS"), [_row(each) for each in found]
        )
    return 0


def _row(genie: GenieView) -> list[str]:
    skills = ", ".join(skill.name for skill in genie.skills) or "none"
    if genie.agents:  # what an orchestrator may do is the same of all
        skills = f"none; agents {', '.join(genie.agents)}"
    return [genie.genie, genie.status, _tasks(genie), genie.model, skills]


def _tasks(genie: GenieView) -> str:
    if genie.paused is not None:
        why = f": {genie.paused.why}" if genie.paused.why else ""
        return f"no new ones, says {genie.paused.by}{why}"
    return "none in the background" if genie.obstacles else "yes"
