"""Writes the pages of the reference from the code: docs/cli.md and docs/errors.md.

.venv/bin/python scripts/reference.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from error_mends import MENDS

from lampwork import errors
from lampwork.app import App
from lampwork.cli import command as lampwork
from lampwork.errors import LampworkError
from lampwork.job import Job
from lampwork.project import Project

DOCS = Path(__file__).parents[1] / "docs"
_WRITTEN = "<!-- Written by scripts/reference.py. -->"
_SHARED = {"--home", "--json", "--help"}


def main() -> None:
    """Write both pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """The text of each page, by its name."""
    return {"cli.md": _page(_cli()), "errors.md": _page(_errors())}


def _page(parts: Iterator[str]) -> str:
    return "\n\n".join(parts) + "\n"


# --- the command line ---

_CLI = """\
`lampwork VERB …`. Here is each verb with its options; [Running](running.md) shows them at work.

**The project.** Verbs that load code take it as their first word: a Python file that holds one
project, `file.py:name` of several, or `module:name`. Without it, `lampwork.toml` (`project =
"project.py"`) names it, then `./project.py`.

**The state** is in `./.lampwork`, or in the folder that `--home` or `LAMPWORK_HOME` names;
or in the [Postgres](postgres.md) database that `--db` or `LAMPWORK_DB` names, which goes before
`LAMPWORK_HOME`.

**Every verb takes** `--json` (print JSON; lists are `{"items": […], "next": …}`, errors
`{"error": {"code", "message", "fields"}}`), `--home` and `--help`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the work failed, or what was looked for was found (`check`, `upgrade-check`) |
| 2 | bad usage: a wrong name, verb or option, input that does not fit |
| 74 | the disk is full or failing; nothing that is not on disk has been acknowledged |
| 130 | interrupted; work that had begun goes on with the next worker |
| 141 | the reader of a pipe has gone |"""


def _cli() -> Iterator[str]:
    yield f"# The command line\n\n{_WRITTEN}\n\n{_CLI}"
    top = click.Context(lampwork, info_name="lampwork")
    verbs = [(name, lampwork.get_command(top, name)) for name in lampwork.list_commands(top)]
    rows = [
        f"| [`{name}`](#{name}) | {verb.get_short_help_str(200)} |" for name, verb in verbs if verb
    ]
    yield "\n".join(["| verb | |", "|---|---|", *rows])
    for name, verb in verbs:
        if verb:
            yield from _verb(verb, top, [name], 2)


def _verb(
    verb: click.Command, parent: click.Context, words: list[str], level: int
) -> Iterator[str]:
    context = click.Context(verb, info_name=words[-1], parent=parent)
    pieces = [piece for piece in verb.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    options = list(_options(verb, context))
    usage = " ".join(["lampwork", *words, *pieces, *(["[OPTIONS]"] if options else [])])
    yield f"{'#' * level} {' '.join(words)}"
    yield f"```text\n{usage}\n```"
    yield _in_markdown(inspect.cleandoc(verb.help or "").replace("\b\n", ""))
    if options:
        yield "\n".join(["| option | |", "|---|---|", *options])
    yield "\n".join(["```sh", *examples(verb), "```"])
    if isinstance(verb, click.Group):
        which = pieces[0]
        for name, below in verb.commands.items():
            if not below.hidden:
                yield from _verb(below, context, [*words, which, name], level + 1)


def examples(verb: click.Command) -> list[str]:
    """What one types, from the end of its help."""
    return [line.strip() for line in (verb.epilog or "").splitlines()[2:]]


def _options(verb: click.Command, context: click.Context) -> Iterator[str]:
    for option in verb.get_params(context):
        record = option.get_help_record(context)
        if isinstance(option, click.Option) and record and not _SHARED & set(option.opts):
            names, meaning = (each.replace("|", "\\|") for each in record)
            yield f"| `{names}` | {_in_markdown(meaning)} |"


def _in_markdown(help: str) -> str:
    """With options set as code."""
    return re.sub(r"(?<![`\w-])--[a-z][\w-]*", r"`\g<0>`", help)


# --- errors ---

_ERRORS = """\
Every error that Lampwork raises is a `LampworkError`. Its message names the thing, the reason and
what to do next. It has a stable `code`, an HTTP `status`, a `message` and `fields`, which are also
attributes: `error.job_id`. Errors can be caught in a recipe with an ordinary `except`; they are
recorded, and on a replay the same class with the same fields is raised. All can be imported from
`lampwork.errors`.

`NotDone` is no `LampworkError`: steps and skills raise it to say that nothing happened. What a step
raises is a `StepFailed`, matched by `error_type` because it must look the same on a replay. Its
`details` is the text of the exception; `error_type` is `resolved_as_failed` when a person said so
of an unknown outcome.

On the command line a wrong name or input exits with 2, work that failed with 1. With `--json` the
error is printed as `{"error": {"code", "message", "fields"}}`. Two codes are the command line's
own: `usage`, and `project_broken` when the project's code raised while it was imported."""


def defined() -> list[type[LampworkError]]:
    """Every error, in the order of the tree that `lampwork.errors` begins with."""
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    below = [
        each for each in found if issubclass(each, LampworkError) and each is not LampworkError
    ]
    drawn = re.findall(r"\w+", errors.__doc__ or "")
    return sorted(below, key=lambda each: drawn.index(each.__name__))


def _errors() -> Iterator[str]:
    tree = (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0]
    yield f"# Errors\n\n{_WRITTEN}\n\n{_ERRORS}\n\n```text\n{inspect.cleandoc(tree)}\n```"
    raised = _raised()
    for error in defined():
        yield from _error(error, sorted(raised.get(error.__name__, ())))


def _error(error: type[LampworkError], calls: list[str]) -> Iterator[str]:
    base = next(each for each in error.__bases__ if issubclass(each, LampworkError))
    meaning, _, fields = " ".join((error.__doc__ or "").split()).partition(" Fields: ")
    yield f"{'##' if base is LampworkError else '###'} {error.__name__}"
    kind = (
        "" if base is LampworkError else f" · below [`{base.__name__}`](#{base.__name__.lower()})"
    )
    yield f"`{error.code}` · status {error.status}{kind}"
    yield meaning
    rows = [f"- **What to do:** {MENDS[error]}"] if error in MENDS else []
    if fields:
        rows.append(f"- **Fields:** {fields}")
    if calls:
        rows.append(f"- **Raised by** {', '.join(f'`{each}`' for each in calls)}")
    yield "\n".join(rows)


_DOORS: dict[str, type[Any]] = {"project": Project, "app": App, "job": Job}
_OURS = {"callable_of", "load_callable", "start_named"}
"""What Lampwork itself calls."""


def _raised() -> dict[str, set[str]]:
    """Which calls say in their docstrings that they raise an error, by its name."""
    found: dict[str, set[str]] = {}
    for door, kind in _DOORS.items():
        for name in dir(kind):
            if not name.startswith("_") and name not in _OURS:
                for error in _raises(door, name):
                    found.setdefault(error, set()).add(f"{door}.{name}")
    return found


def _raises(door: str, name: str, *, at_once: bool = False) -> set[str]:
    """The errors that a call names, and those of the calls to which it refers.

    What a call raises `at once` stands before these words.
    """
    doc = " ".join((inspect.getdoc(getattr(_DOORS[door], name, None)) or "").split())
    said = re.split(r"\.(?: |$)", doc.partition("Raises ")[2])[0]
    if at_once:
        said = said.partition(" at once")[0]
    found = set(re.findall(r"\b[A-Z]\w+", said)) & set(errors.__all__)
    for other, call, only in re.findall(r"`(?:(\w+)\.)?(\w+)`( raises at once)?", said):
        if call != name or other not in ("", door):
            found |= _raises(other or door, call, at_once=bool(only))
    return found


if __name__ == "__main__":
    main()
