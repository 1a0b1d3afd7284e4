"""`NOUN WHICH [VERB …]`: click wants the verb first, people name the thing first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from lampwork.cli.options import shared
from lampwork.errors import one_of


class Noun(click.Group):
    """A noun of the command line: which one, then what to do with it; `show`, if nothing is said.

    `which` stands for the thing in usages, `parameter` is the name under which verbs take it.
    """

    def __init__(self, *args: Any, which: str, parameter: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.which = which
        self.parameter = parameter

    def verb(self, name: str, **settings: Any) -> Callable[[Callable[..., int]], click.Command]:
        """Define a verb, which takes the options that all share."""

        def define(fn: Callable[..., int]) -> click.Command:
            taking = click.argument(self.parameter)(shared(fn))
            return self.command(name, cls=_Verb, **settings)(taking)

        return define

    @property
    def verbs(self) -> list[str]:
        """What can be done, besides showing it."""
        return [name for name in self.commands if name != "show"]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        leading = 0
        while args[leading : leading + 1] in (["--json"], ["--home"]):
            leading += 2 if args[leading] == "--home" else 1
        words = args[leading:]
        if words and not words[0].startswith("-"):
            which, *rest = words
            verb = "show" if not rest or rest[0].startswith("-") else rest.pop(0)
            if verb not in self.commands:
                raise click.UsageError(f'No verb "{verb}". {one_of(verb, self.verbs)}', ctx)
            args = [verb, which, *args[:leading], *rest]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [self.which, "[VERB …]", "[OPTIONS]"]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        verbs = [self.commands[name] for name in self.verbs]
        with formatter.section("Verbs"):
            formatter.write_dl([(verb.name or "", verb.get_short_help_str(200)) for verb in verbs])


class _Verb(click.Command):
    """A verb, in whose usage the thing comes first."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        which = _noun(parent).which
        shown = which if info_name == "show" else f"{which} {info_name}"
        return super().make_context(shown, args, parent, **extra)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        named = _noun(ctx.parent).parameter.upper()
        return [piece for piece in super().collect_usage_pieces(ctx) if piece != named]


def _noun(context: click.Context | None) -> Noun:
    assert context is not None
    assert isinstance(context.command, Noun)
    return context.command
