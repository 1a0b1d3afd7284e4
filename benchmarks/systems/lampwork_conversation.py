"""One conversation with a Lampwork genie that reads a page per turn.

A task ends after 50 turns at the latest, so each task reads some pages and answers, and the next
one continues the conversation.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import pages
from lampwork import Answer, Call, Project, Turn, playbook

PAGES_OF_A_TASK = 40

project = Project("ledger")
at: list[float] = []
last = 0


@playbook
def reader(turn: Turn) -> Call | Answer:
    """Reads page after page, then says so."""
    read = len(at)
    if read == last or len(turn.results) == PAGES_OF_A_TASK:
        return Answer("done")
    at.append(time.perf_counter())
    return Call("read_page", number=read)


@project.skill(effect="read")
async def read_page(number: int) -> str:
    """Read one page of the ledger."""
    return pages.page(number)


clerk = project.genie("clerk", model=reader, job_description="Read.", skills=[read_page])


async def converse(folder: Path, turns: int) -> list[float]:
    """When each model turn began, and when the conversation had ended."""
    global last
    last, conversation = turns, None
    async with project.open(folder) as app:
        while len(at) < turns:
            answer = await app.assign_task(clerk, pages.INSTRUCTIONS, conversation=conversation)
            conversation = answer.conversation_id
        return [*at, time.perf_counter()]
