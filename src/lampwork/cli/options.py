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

from lampwork.errors import DatabaseUrlInvalid
from lampwork.place import Server
from lampwork.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Options:
    """The options that all verbs share."""

    home: Path | None = None
    db: str | None = None
    as_json: bool = False

    @property
    def settings(self) -> Settings:
        """The settings of this process.

        Raises BadParameter for a home that is no folder, a database that is none we know, and
        both of them at once.
        """
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
        """A command for people to type next, with the same home or database."""
        home = ["--home", str(self.home)] if self.home is not None else []
        db = ["--db", str(Server(self.db))] if self.db is not None else []
        return shlex.join(["lampwork", *words, *home, *db])


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
    """`--home` and `--db`, before or after the verb."""
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
    return home(db(command))


def shared(command: Command) -> Command:
    """The options that all verbs share, as the keyword argument `options`."""

    @functools.wraps(command)
    def with_options(
        *args: Any, home: Path | None, db: str | None, as_json: bool, **others: Any
    ) -> Any:
        return command(*args, options=Options(home, db, as_json), **others)

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
