"""The `lampwork` command: one file per noun, imported when its verb is used."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from lampwork.acting import acting
from lampwork.cli import output
from lampwork.cli.options import me, place_options
from lampwork.errors import LampworkError, SignInNeeded, one_of
from lampwork.types import Json

__all__ = ["main"]

_GROUPS = {
    "Start": {
        "init DIR": "Begin a project in a folder.",
        "run RECIPE": "Start a job of a recipe.",
        "assign GENIE TEXT": "Give a task to a genie.",
        "chat GENIE": "Talk with a genie, and confirm what it is to do.",
        "dev": "Execute the jobs while you edit, with the code as it was saved last.",
        "worker": "Execute the jobs, until it is stopped.",
        "serve": "Serve the HTTP API, and execute the jobs.",
    },
    "Look": {
        "status": "Show how the whole is doing: jobs, spend, what processes count.",
        "workers": "List the processes that execute: who is alive, with how many jobs.",
        "jobs": "List jobs.",
        "conversations": "List what genies were told and have done.",
        "conversation ID": "Show a transcript; --as-model, what the model was sent.",
        "genies": "List a project's genies.",
        "triggers": "List what starts jobs by itself.",
        "accounts": "List who may sign in at the server.",
        "keys": "List the API keys of programs.",
        "audit": "List who changed what.",
    },
    "Look at one, and decide": {
        "job ID": "Show a job. Then: send, answer, resolve, confirm, reject, cancel, go-on, retry, "
        "rerun, fork.",
        "orchestration ID": "Show who has tried what for an orchestrator, and what came of it.",
        "genie NAME": "Show a genie. Then: pause, start.",
        "trigger RECIPE": "Show a recipe's triggers. Then: fire, pause, start.",
        "account EMAIL": "Show who may sign in. Then: add, password, disable, enable, role.",
        "key NAME": "Show an API key. Then: new, revoke.",
    },
    "Maintain": {
        "check": "Look for mistakes in a project.",
        "doctor": "Look for what keeps things from working, each with its mend.",
        "upgrade-check": "Find the jobs that would not go on with the code as it is now.",
        "migrate": "Bring the tables of an older version up to date.",
        "backup DIR": "Copy the state while work goes on, and verify the copy.",
        "restore DIR": "Bring a backup back; what may be newer than it is asked for.",
        "restored": "Show what is not known since then, and say when it is.",
        "prune": "Delete jobs that ended long ago, with all that belongs to them.",
        "erase": "Erase what there is of a person.",
        "verify": "Look whether somebody has tampered with the audit log.",
        "completion SHELL": "Print the script with which a shell completes all this.",
    },
}
"""The verbs by what one does. Each is `command` of the module of its name. Said here, so that help
imports none of them."""

_VERBS = tuple(usage.partition(" ")[0] for verbs in _GROUPS.values() for usage in verbs)

_COMPLETE = "_LAMPWORK_COMPLETE"
"""The variable in which a shell says that it wants to complete."""

_BROKEN_PIPE = 141
_INTERRUPTED = 130

_KEY = (
    "Here the key comes from LAMPWORK_KEY, or from a file that --key-file or LAMPWORK_KEY_FILE "
    "names. `lampwork key NAME new` makes one, where the state is."
)


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = cmd_name.replace("-", "_")
        return importlib.import_module(f"lampwork.cli.{module}").command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs, with none of their modules imported."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        known = [item for verbs in _GROUPS.values() for item in verbs.items()]
        words = [(usage.partition(" ")[0], text) for usage, text in known]
        return [
            CompletionItem(verb, help=text) for verb, text in words if verb.startswith(incomplete)
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _VERBS and not args[0].startswith("-"):
            raise click.UsageError(f'No verb "{args[0]}". {one_of(args[0], _VERBS)}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Of one width, so that the groups stand under each other.
        widest = max(len(usage) for verbs in _GROUPS.values() for usage in verbs)
        for group, verbs in _GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(f"{usage:{widest}}", text) for usage, text in verbs.items()])


@click.command(
    cls=_Verbs,
    subcommand_metavar="VERB …",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`lampwork VERB --help` says more, with examples. Exit codes: 0, 1 the work failed, "
    "2 bad usage.",
)
@click.version_option(package_name="lampwork", prog_name="lampwork", message="%(prog)s %(version)s")
@place_options
def command(home: Path | None, db: str | None, server: str | None, key_file: Path | None) -> None:
    """Durable recipes that put autonomous genies to work.

    Verbs that load code take the project first, as a file or `module:project`; without it,
    `lampwork.toml` (`project = "…"`) names it, then ./project.py.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    if _COMPLETE in os.environ:
        from lampwork.cli.completing import complete

        complete(command, _COMPLETE)
        return
    words = sys.argv[1:]
    as_json = "--json" in words
    output.prepare(as_json=as_json)
    try:
        code = _perform(words, as_json=as_json)
        output.flush()
    except BrokenPipeError:
        output.discard()
        code = _BROKEN_PIPE  # the reader has seen enough
    except OSError as error:
        if not output.is_lost_by(error):
            raise
        output.discard()
        output.warn(
            f"Error: the output could not be written: {error.strerror}. What was asked for may "
            "have been done all the same."
        )
        code = 1
    sys.exit(code)


def _perform(words: Sequence[str], *, as_json: bool) -> int:
    try:
        _check(words)
        here = acting(me(), address="cli")
        with here, command.make_context("lampwork", list(words)) as context:
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
        if isinstance(error, SignInNeeded) and not as_json:
            output.warn(_KEY)
        return exit_code(error)
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED


def _check(words: Sequence[str]) -> None:
    """Refuse what was typed in no text that could be written down."""
    for number, word in enumerate(words, 1):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            here = ascii(word[max(0, error.start - 10) : error.end + 10])
            raise click.UsageError(
                f"Argument {number} is no valid UTF-8, in {here}. If it is, Python takes it for "
                "something else here: set PYTHONUTF8=1, or a UTF-8 locale."
            ) from error


def _usage(error: click.UsageError) -> dict[str, Json]:
    return {"code": "usage", "message": error.format_message(), "fields": {}}


def exit_code(error: LampworkError) -> int:
    """2 for what the caller got wrong: names that do not exist, input that does not fit."""
    return 2 if error.status in (403, 404, 422) else 1
