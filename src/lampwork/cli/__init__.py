"""The `lampwork` command: one file per noun, imported when its verb is used."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click

from lampwork.cli import output
from lampwork.cli.options import home_option
from lampwork.errors import LampworkError, one_of
from lampwork.types import Json

__all__ = ["main"]

_VERBS = {
    "init": "Begin a project in a folder.",
    "check": "Look for mistakes in a project.",
    "run": "Start a job of a recipe.",
    "assign": "Give a task to a genie.",
    "worker": "Execute the jobs, until it is stopped.",
    "jobs": "List jobs.",
    "job": "Show a job; cancel it, send it an event, resolve an unknown outcome, retry or fork it.",
    "genies": "List a project's genies.",
    "genie": "Show a genie; pause it, start it.",
    "triggers": "List what starts jobs by itself.",
    "trigger": "Show the triggers of a recipe; fire, pause or start one.",
    "upgrade-check": "Find the jobs that would not go on with the code as it is now.",
    "conversations": "List what genies were told and have done.",
    "conversation": "Show the transcript of a conversation; write an artifact of it into a file.",
}
"""Each is `command` of the module of its name. Said here, so that help imports none of them."""

_BROKEN_PIPE = 141
_INTERRUPTED = 130


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = cmd_name.replace("-", "_")
        return importlib.import_module(f"lampwork.cli.{module}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _VERBS and not args[0].startswith("-"):
            raise click.UsageError(f'No verb "{args[0]}". {one_of(args[0], _VERBS)}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.command(
    cls=_Verbs,
    subcommand_metavar="VERB …",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`lampwork VERB --help` says more. Exit codes: 0, 1 the work failed, 2 bad usage.",
)
@click.version_option(package_name="lampwork", prog_name="lampwork", message="%(prog)s %(version)s")
@home_option
def command(home: Path | None) -> None:
    """Durable recipes that put autonomous genies to work.

    Verbs that load code take the project first, as a file or `module:project`; without it,
    `lampwork.toml` (`project = "…"`) names it, then ./project.py.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    words = sys.argv[1:]
    as_json = "--json" in words
    output.prepare(as_json=as_json)
    try:
        code = _perform(words, as_json=as_json)
        sys.__stdout__.flush()  # pyright: ignore[reportOptionalMemberAccess]
    except BrokenPipeError:
        # The reader has seen enough. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = _BROKEN_PIPE
    sys.exit(code)


def _perform(words: list[str], *, as_json: bool) -> int:
    try:
        with command.make_context("lampwork", words) as context:
            return command.invoke(context) or 0
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except click.UsageError as error:
        if as_json:
            output.say_json({"error": _usage(error)})
        else:
            error.show()
        return error.exit_code
    except LampworkError as error:
        output.say_error(error.to_record(), as_json=as_json)
        if error.code == "project_broken":
            output.warn(error.fields["traceback"].rstrip())
        return exit_code(error)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _usage(error: click.UsageError) -> dict[str, Json]:
    return {"code": "usage", "message": error.format_message(), "fields": {}}


def exit_code(error: LampworkError) -> int:
    """2 for what the caller got wrong: names that do not exist, input that does not fit."""
    return 2 if error.status in (404, 422) else 1
