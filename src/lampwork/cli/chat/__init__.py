"""`lampwork chat`: talk with a genie, in the terminal or through a pipe."""

from __future__ import annotations

import click

from lampwork.cli import completing
from lampwork.cli.chat.chatting import Chat, Terms
from lampwork.cli.chat.terminal import talk
from lampwork.cli.metadata import texts_of
from lampwork.cli.options import Options, examples, me, shared
from lampwork.cli.project import load, names_project


@click.command(
    "chat",
    epilog=examples(
        "lampwork chat desk",
        "lampwork chat desk --conversation c01m7wbx3ejz021kz99.1",
        """lampwork chat desk --message "Where is order A1?" --json""",
    ),
)
@click.argument("words", nargs=-1, required=True, metavar="[PROJECT] GENIE", type=completing.genie)
@click.option(
    "--conversation",
    type=completing.conversation_id,
    metavar="ID",
    help="Go on with this chat, and with what waits in it.",
)
@click.option("--user", metavar="NAME", help="Whose chat it is; you, by default.")
@click.option(
    "--metadata",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    type=completing.metadata,
    help="For the skills, never for the model; JSON where the skill takes no text. Repeatable.",
)
@click.option(
    "--message",
    "messages",
    multiple=True,
    metavar="TEXT",
    help="Say this and end, instead of asking for what to say. Repeatable.",
)
@shared
def command(
    words: tuple[str, ...],
    conversation: str | None,
    user: str | None,
    pairs: tuple[str, ...],
    messages: tuple[str, ...],
    options: Options,
) -> int:
    """Talk with GENIE: a line is a message, Ctrl-D ends, and each message that was sent is kept.

    What a skill must not do without your word is asked right there. From a pipe each line is a
    message; such a question is left waiting, and lines behind it are not sent (exit code 1). With
    --json, one object per reply.
    """
    match words:
        case (name,) if not names_project(name):
            project_word = None
        case (project_word, name):
            pass
        case _:
            raise click.UsageError("Give [PROJECT] GENIE, as in: lampwork chat desk")
    terms = Terms(name, user or me(), user is not None, pairs, texts_of(pairs), conversation)
    chat = Chat(load(project_word), project_word, options, terms)
    return talk(chat, messages)
