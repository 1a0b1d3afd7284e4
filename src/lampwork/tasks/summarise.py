"""The one request that a task makes before its turns, if its history is to be summed up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lampwork.errors import OutputInvalid
from lampwork.models.ask import Ask
from lampwork.tasks.history import from_earlier
from lampwork.tasks.model_call import ask_model, note_unanswered
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.tasks.task import TaskInHand

__all__ = ["in_words", "summarise"]


def in_words(words: int) -> str:
    """What the model is asked for."""
    return (
        f"Sum up the conversation up to here in at most {words} words, for a colleague who goes on "
        "with it: what was asked, what was done and found, what was decided and what is open. "
        "Reply with the summary only."
    )


async def summarise(task: TaskInHand, ask: Ask, words: int) -> None:
    """Have the history summed up, and write the summary down: it stands for the history then.

    `ask` is the first request of the task as it would be without. Raises OutputInvalid if the
    model says nothing or not all of it, and what `ask_model` raises.
    """
    so_far = task.hold.transcript
    wanted = in_words(words)
    request = replace(
        ask,
        messages=[*so_far.history, from_earlier(wanted)],
        skills=(),
        endings=(),
        text_ends=True,
        turn=replace(ask.turn, instructions=wanted, data=None, files=(), skills=(), number=0),
    )
    scan = await task.scanner.scan(request)
    answered = await ask_model(task, request, scan)
    reply = answered.reply
    if reply.truncated or not reply.text.strip():
        problem = "the summary was cut off" if reply.truncated else "the summary was empty"
        await note_unanswered(task, problem, reply.usage)
        if answered.cut_by is not None:
            raise answered.cut_by
        how = "did not come to its end" if reply.truncated else "said nothing"
        raise OutputInvalid(
            f"{reply.model} was asked for a summary of the conversation and {how}. Continue it "
            "with history=Recent(…), or whole.",
            attempt=reply.text,
            problems=[problem],
        )
    entry: dict[str, Json] = {
        "text": reply.text,
        "messages": len(so_far.history),
        "model": reply.model,
        "usage": reply.usage,
        "scan": scan,
    }
    await task.hold.append(("summarised", entry), after=so_far.last_seq)
    task.scanner.under_way = None
