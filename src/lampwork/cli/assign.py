"""`lampwork assign`: a task for a genie, without a recipe."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import click

from lampwork.cli import output as printed
from lampwork.cli.execution import carry_out
from lampwork.cli.limits import limits
from lampwork.cli.options import Options, shared
from lampwork.cli.project import load, names_project
from lampwork.cli.run import read_json
from lampwork.door import Door
from lampwork.errors import InputInvalid
from lampwork.genies.budget import Budget
from lampwork.genies.genie import Genie
from lampwork.insights import Insights
from lampwork.job import JobRef
from lampwork.metadata import Sealed, from_texts, withheld


@click.command("assign")
@click.argument("words", nargs=-1, required=True, metavar="[PROJECT] GENIE INSTRUCTIONS")
@click.option(
    "--metadata",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="For the skills, never for the model; JSON where the skill takes no text. Repeatable.",
)
@click.option(
    "--sealed",
    "seals",
    multiple=True,
    metavar="KEY=VALUE",
    help="As --metadata, and a request that would carry the value is not sent. Repeatable.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="For the genie to read, as it is now. Up to ten; repeatable.",
)
@click.option("--data", metavar="JSON", help="What the task is about.")
@click.option(
    "--output",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="SCHEMA.json",
    help="A JSON Schema of the answer; without it, text.",
)
@click.option("--conversation", metavar="ID", help="Continue this conversation.")
@click.option("--on-problem", metavar="TEXT", help="What to do on errors or doubt.")
@click.option("--public-only", is_flag=True, help="Public documents of its knowledge are enough.")
@limits
@click.option("--wait", is_flag=True, help="Wait for the answer; execute here if no worker does.")
@shared
def command(
    words: tuple[str, ...],
    pairs: tuple[str, ...],
    files: tuple[Path, ...],
    seals: tuple[str, ...],
    data: str | None,
    output: Path | None,
    conversation: str | None,
    on_problem: str | None,
    public_only: bool,
    budget: Budget | None,
    deadline: datetime | timedelta | None,
    wait: bool,
    home: Path | None,
    as_json: bool,
) -> int:
    """Give a task to GENIE.

    Without --wait it is queued for a worker, and the id of the job that carries it is printed.
    """
    project_word, name, instructions = _split(words)
    metadata = _texts((*pairs, *seals))
    sealed = _texts(seals).keys()
    about = None if data is None else read_json("--data", data, example='"text"')
    schema = None if output is None else _read_schema(output)
    project = load(project_word)

    async def assign(door: Door) -> JobRef:
        genie: Genie = door.project.find_genie(name)
        if conversation is not None:
            await Insights(door.store).conversation(conversation)
        job = await door.assign(
            genie,
            instructions,
            data=about,
            on_problem=on_problem,
            knowledge="public_only" if public_only else None,
            conversation=conversation,
            metadata={
                key: Sealed(value) if key in sealed else value
                for key, value in from_texts(genie.metadata, metadata).items()
            },
            output=schema,
            files=files,
            budget=budget,
            deadline=deadline,
            kind="cli",
        )
        if lacking := withheld(genie.skills, metadata):
            listed = ", ".join(f"{skill} ({why})" for skill, why in lacking.items())
            printed.warn(f"withheld: {listed}")
        return job

    return carry_out(project, project_word, Options(home, as_json), assign, wait=wait)


def _split(words: tuple[str, ...]) -> tuple[str | None, str, str]:
    match words:
        case (first, _) if names_project(first):
            raise click.UsageError(f"Say what is to be done: lampwork assign {first} GENIE TEXT")
        case (genie, instructions):
            return None, genie, instructions
        case (project, genie, instructions):
            return project, genie, instructions
        case _:
            raise click.UsageError("Give [PROJECT] GENIE INSTRUCTIONS, the instructions in quotes.")


def _read_schema(file: Path) -> dict[str, Any]:
    try:
        schema = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise InputInvalid(f"{file} is not JSON: {error}.") from error
    if not isinstance(schema, dict):
        raise click.BadParameter("a JSON Schema is an object", param_hint="--output")
    return cast(dict[str, Any], schema)


def _texts(pairs: tuple[str, ...]) -> dict[str, Any]:
    texts: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f'"{pair}" is not KEY=VALUE', param_hint="--metadata")
        if key in texts:
            raise click.BadParameter(
                f'"{key}" is given twice', param_hint="--metadata and --sealed"
            )
        texts[key] = value
    return texts
