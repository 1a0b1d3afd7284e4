"""`lampwork conversations`: the list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import click

from lampwork.cli import completing, output
from lampwork.cli.options import Options, examples, filled, paged, shared
from lampwork.cli.reading import from_source
from lampwork.cli.source import Source
from lampwork.views import ConversationView, Page, to_json


@click.command("conversations", epilog=examples("lampwork conversations --genie finance"))
@click.option("--genie", type=completing.genie, help="Only those that this genie has worked in.")
@paged
@shared
def command(genie: str | None, limit: int, after: str | None, options: Options) -> int:
    """List conversations, the newest first."""

    async def page(source: Source) -> Page[ConversationView]:
        page = await source.conversations(genie=genie, limit=limit, after=after)
        while not page.items and page.next is not None:  # a server looks only so far at once
            page = await source.conversations(genie=genie, limit=limit, after=page.next)
        return page

    none: Page[ConversationView] = Page((), None)
    found = asyncio.run(from_source(options, page)) or none
    if options.as_json:
        output.say_json(to_json(found))
    elif not found.items:
        whose = "" if genie is None else f' of genie "{genie}"'
        output.say(f"No conversations{whose} in {options.where}.")
        if genie is None:
            output.say(f"Begin one: {options.to_type('assign', 'GENIE', 'TEXT')}")
    else:
        columns = ("CONVERSATION", "KIND", "GENIES", "STATUS", "TASKS", "TURNS", "SKILLS")
        columns += ("AGE", "JOB")
        output.table(columns, list(_rows(found)))
        if found.next is not None:
            wanted = {"--genie": genie, "--limit": str(limit)}
            output.say(f"More: {options.to_type('conversations', *filled(wanted, found.next))}")
    return 0


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
