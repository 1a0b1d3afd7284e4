"""`lampwork accounts`: who may sign in at the server."""

from __future__ import annotations

import asyncio

import click

from lampwork.cli import output
from lampwork.cli.account import roles_in_words
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.who import looking
from lampwork.views import to_json


@click.command("accounts", epilog=examples("lampwork accounts"))
@shared
def command(options: Options) -> int:
    """List who may sign in at the server, with their roles.

    Of a server that is asked: who has a role in its project.
    """
    found = asyncio.run(looking(options, lambda who: who.accounts())) or []
    if options.as_json:
        output.say_json({"items": to_json(found), "next": None})
    elif not found:
        output.say(
            "Nobody has an account. Make one: "
            f"{options.to_type('account', 'ann@example.org', 'add', '--role', 'admin')}"
        )
    else:
        rows = [
            [each.email, each.status, roles_in_words(each), output.local(each.created_at)]
            for each in found
        ]
        output.table(("EMAIL", "STATUS", "ROLES", "SINCE"), rows)
    return 0
