"""What every verb takes: where the state is, and whether people or programs read the output."""

from __future__ import annotations

import functools
import getpass
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from lampwork.errors import DatabaseUrlInvalid, NotByServer, StoreError
from lampwork.place import Server
from lampwork.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

_MIGRATE = "lampwork migrate"


@dataclass(frozen=True, slots=True)
class Options:
    """The options that all verbs share."""

    home: Path | None = None
    db: str | None = None
    as_json: bool = False
    server: str | None = None
    key_file: Path | None = None

    @property
    def at_server(self) -> str | None:
        """The address of the server that is asked, in place of a folder or a database.

        What is typed comes before what is in the environment. Raises BadParameter for both.
        """
        place = self.home is not None or self.db is not None
        if self.server is not None and place:
            raise click.BadParameter("--server is asked, or --home or --db read: name one of them.")
        return self.server or (None if place else os.environ.get("LAMPWORK_SERVER") or None)

    @property
    def key(self) -> str | None:
        """The API key for the server: never an argument, which other users could read.

        Raises BadParameter.
        """
        named = self.key_file or os.environ.get("LAMPWORK_KEY_FILE")
        if not named:
            return os.environ.get("LAMPWORK_KEY") or None
        try:
            return Path(named).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            hint = "--key-file" if self.key_file is not None else "LAMPWORK_KEY_FILE"
            raise click.BadParameter(f"{named} can't be read: {error}", param_hint=hint) from error

    @property
    def where(self) -> str:
        """Where the state is, for people."""
        return self.at_server or str(self.settings.place)

    @property
    def has_many_workers(self) -> bool:
        """Whether several processes may execute there."""
        return self.at_server is not None or self.settings.db is not None

    @property
    def settings(self) -> Settings:
        """The settings of this process.

        Raises BadParameter for a home that is no folder, a database that is none we know, and
        both of them at once; NotByServer where a server is to be asked.
        """
        if (url := self.at_server) is not None:
            raise _not_by_server(url, typed=self.server is not None)
        if self.home is not None and self.db is not None:
            raise click.BadParameter("the state is in a folder or in a database: name one of them.")
        settings = Settings.load(home=self.home, db=self.db)
        if settings.db is not None:
            try:
                Server(settings.db)
            except DatabaseUrlInvalid as error:
                hint = "--db" if self.db is not None else "LAMPWORK_DB"
                raise click.BadParameter(error.message, param_hint=hint) from error
        elif settings.home.exists() and not settings.home.is_dir():
            raise click.BadParameter(f"{settings.home} is no folder.", param_hint=self.home_from)
        return settings

    @property
    def home_is_named(self) -> bool:
        """Whether somebody has named the home, so that it is meant to be there."""
        return self.home is not None or bool(os.environ.get("LAMPWORK_HOME"))

    @property
    def home_from(self) -> str:
        """What has named the home."""
        return "--home" if self.home is not None else "LAMPWORK_HOME"

    def to_type(self, *words: str) -> str:
        """A command for people to type next, with the same home, database or server."""
        home = ["--home", str(self.home)] if self.home is not None else []
        db = ["--db", str(Server(self.db))] if self.db is not None else []
        server = ["--server", self.server] if self.server is not None else []
        key = ["--key-file", str(self.key_file)] if self.key_file is not None else []
        return shlex.join(["lampwork", *words, *home, *db, *server, *key])

    def in_full(self, said: str) -> str:
        """What knows the place and not how it was typed, with `lampwork migrate` for that place."""
        return said if self.at_server else said.replace(_MIGRATE, self.to_type("migrate"))

    def worker_to_type(self, *words: str) -> str | None:
        """The command that starts a worker; None where that is the server's own to do."""
        return None if self.at_server is not None else self.to_type("worker", *words)


def _not_by_server(url: str, *, typed: bool) -> NotByServer:
    context = click.get_current_context(silent=True)
    verb = "This" if context is None else f"`lampwork {context.info_name}`"
    otherwise = (
        "Type it where that is, without --server"
        if typed
        else "Name it with --home or --db, or unset LAMPWORK_SERVER"
    )
    return NotByServer(
        f"{verb} works at the folder or the database itself, not through a server ({url}). "
        f"{otherwise}."
    )


_EMPTY = "this is empty, as a variable is that was not set. Name one, or leave the option away."


class _Folder(click.Path):
    """A folder, which need not exist."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":  # else it is the folder that we are in
            self.fail(_EMPTY, param, ctx)
        return super().convert(value, param, ctx)


def _inherited(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """What was given before the verb."""
    if value == "":
        raise click.BadParameter(_EMPTY)
    return value or context.find_root().params.get(str(parameter.name))


def place_options(command: Command) -> Command:
    """`--home`, `--db`, `--server` and `--key-file`, before or after the verb."""
    home = click.option(
        "--home",
        type=_Folder(),
        callback=_inherited,
        help="Folder of the state; LAMPWORK_HOME, else ./.lampwork.",
    )
    db = click.option(
        "--db",
        metavar="URL",
        callback=_inherited,
        help="Postgres database of the state, in place of a folder; LAMPWORK_DB.",
    )
    server = click.option(
        "--server",
        metavar="URL",
        callback=_inherited,
        help="Server that is asked in place of them, with the key in LAMPWORK_KEY; "
        "LAMPWORK_SERVER.",
    )
    key_file = click.option(
        "--key-file",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_inherited,
        metavar="FILE",
        help="File with the API key for the server; LAMPWORK_KEY_FILE.",
    )
    return home(db(server(key_file(command))))


def shared(command: Command) -> Command:
    """The options that all verbs share, as the keyword argument `options`."""

    @functools.wraps(command)
    def with_options(
        *args: Any,
        home: Path | None,
        db: str | None,
        as_json: bool,
        server: str | None,
        key_file: Path | None,
        **others: Any,
    ) -> Any:
        options = Options(home, db, as_json, server, key_file)
        try:
            return command(*args, options=options, **others)
        except StoreError as error:
            if (said := options.in_full(error.message)) != error.message:
                raise type(error)(said, **error.fields) from error
            raise

    as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return cast(Command, place_options(as_json_option(with_options)))


def paged(command: Command) -> Command:
    """The options of lists, as the keyword arguments `limit` and `after`."""
    limit = click.option(
        "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, metavar="N"
    )
    after = click.option("--after", metavar="CURSOR", help="The `next` of the page before.")
    return limit(after(command))


def filled(options: Mapping[str, str | None], after: str) -> Iterator[str]:
    """The words for the next page: the options that were given, and where it begins."""
    for name, value in (*options.items(), ("--after", after)):
        if value is not None:
            yield from (name, value)


def of_project(command: Command) -> Command:
    """`--project`, of verbs that name something of a project, as the keyword argument `project`."""
    return click.option(
        "--project", metavar="PROJECT", help="The project, as a file or `module:name`."
    )(command)


def examples(*lines: str) -> str:
    """The end of a verb's help, with commands as they are typed."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  {line}" for line in lines)])


def me() -> str:
    """Who does it, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "cli"
