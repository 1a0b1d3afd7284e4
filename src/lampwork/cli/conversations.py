"""`lampwork conversations`: the list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast, get_args

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, paged, shared
from lampwork.cli.reading import from_source
from lampwork.cli.source import Source
from lampwork.cli.wanted import filtered, typed
from lampwork.types import TaskStatus
from lampwork.views import ConversationsWanted, ConversationView, Page, to_json


@click.command(
    "conversations",
    epilog=examples(
        "lampwork conversations --genie finance",
        "lampwork conversations --status failed --metadata invoice_id=I-7 --since 7d",
    ),
)
@click.option(
    "--status",
    type=click.Choice(get_args(TaskStatus)),
    help="Only those whose task at work, or last one, has it.",
)
@filtered
@paged
@shared
def command(limit: int, after: str | None, options: Options, **given: Any) -> int:
    """List conversations, the newest first.

    A TIME is how long ago it was, or a moment in ISO 8601.
    """
    wanted = cast(ConversationsWanted, {name: each for name, each in given.items() if each})

    async def listing(source: Source) -> Page[ConversationView]:
        page = await source.conversations(limit=limit, after=after, **wanted)
        while not page.items and page.next is not None:  # a server looks only so far at once
            page = await source.conversations(limit=limit, after=page.next, **wanted)
        return page

    none: Page[ConversationView] = Page((), None)
    found = asyncio.run(from_source(options, listing)) or none
    if options.as_json:
        output.say_json(to_json(found))
    elif not found.items:
        output.say(f"No {_in_words(wanted)} in {options.where}.")
        if not wanted:
            output.say(f"Begin one: {options.to_type('assign', 'GENIE', 'TEXT')}")
    else:
        columns = ("CONVERSATION", "KIND", "GENIES", "STATUS", "TASKS", "TURNS", "SKILLS")
        columns += ("AGE", "JOB")
        output.table(columns, list(_rows(found)))
        if found.next is not None:
            words = [*typed(wanted), "--limit", str(limit), "--after", found.next]
            output.say(f"More: {options.to_type('conversations', *words)}")
    return 0


def _in_words(wanted: ConversationsWanted) -> str:
    if wanted.keys() == {"genie"}:
        return f'conversations of genie "{wanted.get("genie")}"'
    return "conversations like that" if wanted else "conversations"


def _rows(found: Page[ConversationView]) -> Iterator[list[str]]:
    for each in found.items:
        yield [
            each.conversation_id,
            each.kind if each.user is None else f"{each.kind} of {each.user}",
            ", ".join(each.genies),
            each.status,
            str(each.tasks),
            str(each.turns),
            str(each.skill_calls),
            output.span(each.last_at),
            each.job or "",
        ]
