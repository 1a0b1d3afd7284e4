"""One conversation with a Lampwork genie that reads a page per turn."""

from __future__ import annotations

import time

from benchmarks import pages, records
from benchmarks.systems import Place
from lampwork import Answer, Call, Project, Turn, playbook

MOST_TURNS = 10_000

project = Project("ledger")
at: list[float] = []
last = 0


@playbook
def reader(turn: Turn) -> Call | Answer:
    """Reads page after page, then says so."""
    read = len(at)
    if read == last:
        return Answer("done")
    at.append(time.perf_counter())
    return Call("read_page", number=read)


@project.skill(effect="read")
async def read_page(number: int) -> str:
    """Read one page of the ledger."""
    return pages.page(number)


clerk = project.genie(
    "clerk", model=reader, job_description="Read.", skills=[read_page], max_turns=MOST_TURNS
)


async def make(place: Place) -> None:
    """Make the tables."""
    async with project.open(settings=records.settings(place)):
        pass


async def converse(place: Place, turns: int) -> list[float]:
    """When each model turn began, and when the conversation had ended."""
    global last
    last = turns
    async with project.open(settings=records.settings(place)) as app:
        await app.assign_task(clerk, pages.INSTRUCTIONS)
        return [*at, time.perf_counter()]
