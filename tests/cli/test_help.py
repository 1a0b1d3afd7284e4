"""Help: every verb in a group, every verb with an example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import pytest

from lampwork.cli import _VERBS
from lampwork.cli import command as lampwork_command
from lampwork.cli.noun import Noun


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(lampwork_command)
    for name in _VERBS:
        command = lampwork_command.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, Noun):
            yield from ((f"{name} ID {verb}", command.commands[verb]) for verb in command.verbs)


@pytest.mark.parametrize(("name", "command"), list(_commands()))
def test_every_verb_says_what_it_does_and_shows_an_example(
    name: str, command: click.Command
) -> None:
    assert command.get_short_help_str()
    assert f"  lampwork {name.split()[0]} " in f"{command.epilog} ", command.epilog


def test_help_is_grouped_by_what_one_does(lampwork: Any) -> None:
    said = lampwork("--help").out

    titles = [line for line in said.splitlines() if line.endswith(":") and line[0].isupper()]
    assert titles == ["Options:", "Start:", "Look:", "Look at one, and decide:", "Maintain:"]
    assert all(f"\n  {verb} " in said for verb in _VERBS)
