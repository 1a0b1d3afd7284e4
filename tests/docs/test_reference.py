"""The pages of the reference are what the code says, by scripts/reference.py."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
import reference
from error_mends import MENDS

from lampwork import errors
from lampwork.cli import command

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["cli.md", "errors.md"])
def test_a_page_of_the_reference_is_what_the_code_says(page: str) -> None:
    written = (DOCS / page).read_text("utf-8")

    assert written == reference.pages()[page], "python scripts/reference.py writes it anew"


def test_every_error_is_public() -> None:
    assert {each.__name__ for each in reference.defined()} <= set(errors.__all__)


def test_of_every_error_it_is_said_what_to_do() -> None:
    """In scripts/error_mends.py."""
    assert set(MENDS) == set(reference.defined())


def verbs(group: click.Group, words: str = "") -> dict[str, click.Command]:
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        assert verb is not None
        which = group.collect_usage_pieces(context)[0] if words else ""
        called = f"{words} {which} {name}".strip()
        if not verb.hidden:
            found[called] = verb
        if isinstance(verb, click.Group):
            found |= verbs(verb, called)
    return found


def test_of_every_verb_there_is_an_example() -> None:
    """In the `epilog` of its command."""
    assert [name for name, verb in verbs(command).items() if not reference.examples(verb)] == []


def test_an_error_names_the_calls_that_raise_it() -> None:
    raised = reference._raised()

    assert {"app.assign_task", "job.assign_task"} <= raised["MetadataUnknown"]
    assert "app.run" in raised["IdempotencyConflict"]  # what `start` raises
    assert "app.assign_task" not in raised["OutputInvalid"]  # not `at once`: a JobFailed


def parsed(words: list[str]) -> list[str]:
    """The verbs that a line names; raises when it has a word or an option that they don't take."""
    verb: click.Command = command
    context, names = verb.make_context("lampwork", words), list[str]()
    while isinstance(verb, click.Group):
        given = [*context._protected_args, *context.args]
        name, below, rest = verb.resolve_command(context, given)
        assert name is not None
        assert below is not None
        context, verb = below.make_context(name, rest, parent=context), below
        names.append(name)
    return [name for name in names if name != "show"]


@pytest.mark.parametrize(
    ("name", "line"),
    [(name, line) for name, verb in verbs(command).items() for line in reference.examples(verb)],
)
def test_an_example_is_one_of_its_verb(name: str, line: str) -> None:
    _, *words = shlex.split(line)
    assert parsed(words) == name.split()[0::2]
