"""`lampwork run`: a job of a recipe."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from lampwork.cli import completing
from lampwork.cli.execution import carry_out
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load, names_project
from lampwork.door import Door
from lampwork.errors import InputInvalid, ProjectNotFound, RecipeNotFound, quoted
from lampwork.project import Project
from lampwork.types import JobRef

_EXAMPLE = '{"name": "Ada"}'


@click.command(
    "run",
    epilog=examples(
        """lampwork run add --input '{"a": 1}' --wait""",
        "lampwork run examples/invoices/project.py review_pending_invoices",
    ),
)
@click.argument(
    "words", nargs=-1, required=True, metavar="[PROJECT] RECIPE", type=completing.recipe
)
@click.option("--input", "given", default="{}", metavar="JSON", help="The parameters by name.")
@click.option("--wait", is_flag=True, help="Wait for the result; execute here if no worker does.")
@shared
def command(words: tuple[str, ...], given: str, wait: bool, options: Options) -> int:
    """Start a job of RECIPE.

    Without --wait the job is queued for a worker, and its id is printed. With it, the job is
    executed here, or by the worker if there is one, and its result is printed. Nothing else that is
    queued is executed here but the jobs below it. With --server it is the server that executes it.
    """
    input = read_json("--input", given, example=_EXAMPLE)
    if (url := options.at_server) is not None:
        from lampwork.cli.handing_in import hand_in, only  # the HTTP client takes its time

        [named] = only(words, 1, "RECIPE")
        return hand_in(options, url, lambda server: server.start(named, input), wait=wait)
    project_word, recipe = _split(words)

    async def start(door: Door) -> JobRef:
        return await door.start_named(recipe, input, kind="cli")

    project = _load(project_word)
    if recipe in project.genies and recipe not in project.recipes:
        to_assign = f"lampwork assign {' '.join(filter(None, (project_word, recipe)))} TEXT"
        raise RecipeNotFound(f"{quoted(recipe)} is a genie. Give it a task: {to_assign}")
    return carry_out(project, project_word, options, start, wait=wait)


def _split(words: tuple[str, ...]) -> tuple[str | None, str]:
    match words:
        case (only,) if names_project(only):
            raise click.UsageError(f"Name a recipe too: lampwork run {only} RECIPE")
        case (recipe,):
            return None, recipe
        case (project, recipe):
            return project, recipe
        case _:
            raise click.UsageError("Give [PROJECT] RECIPE; the parameters go into --input.")


def _load(word: str | None) -> Project:
    """The project that was named; a recipe with its parameters behind it is taken for one."""
    try:
        return load(word)
    except ProjectNotFound as error:
        if word is None or names_project(word):
            raise
        raise ProjectNotFound(
            f'{error.message} If "{word}" is the recipe: its input goes into --input, as in '
            f"`lampwork run {word} --input {shlex.quote(_EXAMPLE)}`."
        ) from error


def read_json(name: str, text: str, *, example: str) -> Any:
    """An option's JSON. Raises InputInvalid, saying where it goes wrong."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        problem = _placed(error, text)
        raise InputInvalid(
            f"{name} is not JSON: {problem}. Give it in quotes, as in {shlex.quote(example)}.",
            problems=[problem],
        ) from error


def _placed(error: ValueError, text: str) -> str:
    """What is wrong, with the place and what stands there."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    line = f"line {error.lineno}, " if "\n" in text else ""
    here = f"at {quoted(text[error.pos : error.pos + 20])}" if text[error.pos :] else "at its end"
    return f"{error.msg[0].lower()}{error.msg[1:]}, {line}character {error.colno}, {here}"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not in JSON")
