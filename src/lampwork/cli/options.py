"""What every verb takes: where the state is, and whether people or programs read the output."""

from __future__ import annotations

import getpass
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from lampwork.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Options:
    """The options that all verbs share."""

    home: Path | None
    as_json: bool

    @property
    def settings(self) -> Settings:
        """The settings of this process. Raises BadParameter for a home that is no folder."""
        settings = Settings.load(home=self.home)
        if settings.home.exists() and not settings.home.is_dir():
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
        """A command for people to type next, with the same home."""
        home = ["--home", str(self.home)] if self.home is not None else []
        return shlex.join(["lampwork", *words, *home])


def _home(context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    return value or context.find_root().params.get("home")


def home_option(command: Command) -> Command:
    """`--home`, before or after the verb."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        callback=_home,
        help="Folder of the state; LAMPWORK_HOME, else ./.lampwork.",
    )(command)


def shared(command: Command) -> Command:
    """The options that all verbs share, as the keyword arguments `home` and `as_json`."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return home_option(as_json(command))


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
