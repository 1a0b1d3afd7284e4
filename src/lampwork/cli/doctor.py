"""`lampwork doctor`: what keeps things from working here, each with its mend."""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import click
from pydantic_core import to_jsonable_python

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import is_named, load
from lampwork.doctor import Diagnosis, examine, problem, warning
from lampwork.errors import LampworkError, ProjectNotFound
from lampwork.project import Project

_MARKS = {"ok": "✓", "warning": "!", "problem": "✗"}


@click.command("doctor", epilog=examples("lampwork doctor", "lampwork doctor project.py --ask"))
@click.argument("project", required=False, metavar="[PROJECT]")
@click.option("--ask", is_flag=True, help="Send each model a small request, for some tokens.")
@shared
def command(project: str | None, ask: bool, options: Options) -> int:
    """Look for what keeps things from working: packages, folder, worker, project, models.

    Nothing is changed. Each model's service is asked whether it answers and takes the key, which
    costs nothing. Without a project only the machine and the folder are looked at. Exits with 1 if
    there is a problem.
    """
    named = [project] if project is not None else []
    check = shlex.join(("lampwork", "check", *named))
    loaded, of_project = _loaded(project, check)
    worker = options.to_type("worker", *named)
    examined = examine(loaded, options.settings, worker=worker, check=check, ask=ask)
    found = [_in_full(each, options) for each in (*asyncio.run(examined), *of_project)]
    if options.as_json:
        output.say_json({"items": to_jsonable_python(found), "next": None})
    else:
        _say(found)
    return 1 if any(each.state == "problem" for each in found) else 0


def _loaded(word: str | None, check: str) -> tuple[Project | None, list[Diagnosis]]:
    """The project, and what there is to say if it can't be looked at.

    Raises ProjectNotFound for a project that was named and is not there.
    """
    if word is None and not is_named():
        said = f"None is in {Path.cwd()}: no code and no model looked at."
        return None, [warning("project", said, "Name it, if there is one: lampwork doctor PROJECT")]
    try:
        return load(word), []
    except ProjectNotFound as error:
        if word is not None:
            raise
        return None, [problem("project", error.message, "Name another: lampwork doctor PROJECT")]
    except LampworkError as error:
        return None, [problem("project", error.message, f"Type: {check}")]


def _in_full(each: Diagnosis, options: Options) -> Diagnosis:
    mend = None if each.mend is None else options.in_full(each.mend)
    return replace(each, message=options.in_full(each.message), mend=mend)


def _say(found: list[Diagnosis]) -> None:
    width = max(len(each.about) for each in found)
    for each in found:
        output.say(f"{_MARKS[each.state]} {each.about:{width}}  {each.message}")
        if each.mend is not None:
            output.say(f"  {'':{width}}  → {each.mend}")
    counts = Counter(each.state for each in found if each.state != "ok")
    faults = [output.counted(count, state) for state, count in sorted(counts.items())]
    output.say(", ".join(faults) or "Nothing keeps it from working.")
