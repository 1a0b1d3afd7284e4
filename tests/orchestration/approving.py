"""An orchestrator whose plans are approved, for processes that die: an effect in each subtask."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from lampwork import Answer, Call, Project, SkillCall, Turn, playbook

project = Project("approving")


@project.skill(effect="idempotent")
def book(what: str, call: SkillCall) -> str:
    """Book something."""
    with Path(os.environ["BOOK"]).open("a") as file:
        file.write(f"{what}\t{call.idempotency_key}\n")
    return f"{what} is booked"


@playbook
def working(turn: Turn) -> Call | Answer:
    return Answer(turn.results[0].value) if turn.results else Call(book, what=turn.instructions)


def told(turn: Turn) -> Answer:
    found = turn.results[-1].value["subtasks"]
    return Answer(", ".join(each["output"] for each in found))


@playbook
def leading(turn: Turn) -> Call | Answer:
    if turn.results:
        return told(turn)
    subtask = {"id": "a", "title": "A", "agent": "worker", "brief": "the first plan"}
    return Call("plan", subtasks=[subtask])


worker = project.genie("worker", model=working, job_description="You book.", skills=[book])
leader = project.orchestrator(
    "leader", model=leading, job_description="You lead.", agents=[worker], plan_approval="always"
)


@playbook
async def hanging(turn: Turn) -> Answer:
    await asyncio.Event().wait()
    return Answer("never")


slow = project.genie("slow", model=hanging, job_description="You hang.")


@playbook
def trusting(turn: Turn) -> Call | Answer:
    if turn.results:
        return told(turn)
    subtask = {"id": "a", "title": "A", "agent": "slow", "brief": "the first agent"}
    return Call("plan", subtasks=[subtask])


truster = project.orchestrator(
    "truster", model=trusting, job_description="You trust.", agents=[slow, worker]
)
