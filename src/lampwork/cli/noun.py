"""`NOUN WHICH [VERB …]`: click wants the verb first, people name the thing first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from lampwork.cli.options import shared
from lampwork.errors import one_of

_SHARED = ("home", "db", "server", "key_file", "as_json")
"""The options that stand last in the help of a verb."""

_ASKED = {"resilient_parsing": True}
"""How a shell that completes has what is typed read."""


class Noun(click.Group):
    """A noun of the command line: which one, then what to do with it; `show`, if nothing is said.

    `which` stands for the thing in usages, `parameter` is the name under which verbs take it, and
    `of` completes it.
    """

    def __init__(
        self,
        *args: Any,
        which: str,
        parameter: str,
        of: click.ParamType[str],
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.which = which
        self.parameter = parameter
        self.of = of

    def verb(self, name: str, **settings: Any) -> Callable[[Callable[..., int]], click.Command]:
        """Define a verb, which takes the options that all share."""

        def define(fn: Callable[..., int]) -> click.Command:
            taking = click.argument(self.parameter, type=self.of)(shared(fn))
            verb = self.command(name, cls=_Verb, **settings)(taking)
            verb.params.sort(key=lambda each: each.name in _SHARED)
            return verb

        return define

    @property
    def verbs(self) -> list[str]:
        """What can be done, besides showing it."""
        return [name for name in self.commands if name != "show"]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        leading = _options_before(args)
        words = args[leading:]
        if words and not words[0].startswith("-"):
            which, *rest = words
            verb = "show" if not rest or rest[0].startswith("-") else rest.pop(0)
            if verb not in self.commands and not ctx.resilient_parsing:
                raise click.UsageError(f'No verb "{verb}". {one_of(verb, self.verbs)}', ctx)
            args = [verb, which, *args[:leading], *rest]
        elif ctx.resilient_parsing:  # a shell asks which ones there are, in the place that is named
            ctx.params |= self.commands["show"].make_context(None, args, ctx, **_ASKED).params
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Which ones there are: what to do with one comes after it."""
        return self.of.shell_complete(ctx, click.Argument([self.parameter]), incomplete)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [self.which, "[VERB …]", "[OPTIONS]"]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        verbs = [self.commands[name] for name in self.verbs]
        with formatter.section("Verbs"):
            formatter.write_dl([(verb.name or "", verb.get_short_help_str(200)) for verb in verbs])


def _options_before(args: list[str]) -> int:
    """How many words are options that stand before the thing, with their values."""
    count = 0
    while count < len(args):
        name, is_whole, _ = args[count].partition("=")
        if name not in ("--json", "--home", "--db", "--server", "--key-file"):
            break
        count += 1 if name == "--json" or is_whole else 2
    return count


class _Verb(click.Command):
    """A verb, in whose usage the thing comes first."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The options; where no verb was typed yet, the verbs as well."""
        noun, items = _noun(ctx.parent), super().shell_complete(ctx, incomplete)
        if self.name == "show":
            items += [
                CompletionItem(verb, help=noun.commands[verb].get_short_help_str(60))
                for verb in noun.verbs
                if verb.startswith(incomplete)
            ]
        return items

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
