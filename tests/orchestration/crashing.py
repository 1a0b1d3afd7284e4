"""An orchestration of six subtasks, one of whose agents fails, with an effect in each of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lampwork import (
    Answer,
    Call,
    CannotComplete,
    Job,
    Metadata,
    OrchestrationLimits,
    Project,
    Report,
    SkillCall,
    Turn,
    playbook,
    testing,
)

project = Project("crashing")


def effects() -> list[testing.Effect]:
    """What has happened in the world."""
    book = Path(os.environ["BOOK"])
    lines = book.read_text().splitlines() if book.exists() else []
    return [testing.Effect(*line.split("\t")) for line in lines]


@project.skill(effect="idempotent")
def book(what: str, shop: Metadata[str], call: SkillCall) -> str:
    """Book something."""
    line = f"{what} at {shop}\t{call.idempotency_key}\n"
    path = Path(os.environ["BOOK"])
    if not path.exists() or line not in path.read_text():  # as a service that honours keys
        with path.open("a") as file:
            file.write(line)
    return f"{what} is booked"


@playbook
def working(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer(f"{turn.results[0].value}, after {sorted(turn.data or {})}")
    return Call(book, what=turn.instructions)


@playbook
def declining(turn: Turn) -> CannotComplete:
    return CannotComplete("I never do")


@project.acceptance_check
def booked(answer: Any) -> str | None:
    """It says that it is booked."""
    return None if "is booked" in answer.output else "it is not booked"


def subtask(id: str, agent: str, *before: str, **more: Any) -> dict[str, Any]:
    inputs = [{"name": each, "subtask": each} for each in before]
    return {"id": id, "title": id, "agent": agent, "brief": id, "inputs": inputs, **more}


@playbook
def leading(turn: Turn) -> Call | Answer:
    if turn.results:
        found = turn.results[-1].value["subtasks"]
        said = "; ".join(f"{each['agent']}: {each['output']}" for each in found)
        return Answer({"title": "All six", "summary": said})
    return Call(
        "plan",
        subtasks=[
            subtask("a", "worker"),
            subtask("b", "worker", "a", checks=["booked"]),
            subtask("c", "shirker", "a", fallbacks=["other"]),
            subtask("d", "other", "b", "c"),
            subtask("e", "other"),
            subtask("f", "worker", "d", "e"),
        ],
    )


worker = project.genie("worker", model=working, job_description="You book.", skills=[book])
other = project.genie("other", model=working, job_description="You book too.", skills=[book])
shirker = project.genie("shirker", model=declining, job_description="You decline.")
leader = project.orchestrator(
    "leader",
    model=leading,
    job_description="You lead.",
    agents=[worker, other, shirker],
    pass_metadata={worker: ["shop"], other: ["shop"]},
    limits=OrchestrationLimits(parallel=3, backoff=0),
)


@project.recipe()
async def six(job: Job) -> list[Any]:
    """Have all six done."""
    task = await job.assign_task(leader, "Do all six.", metadata={"shop": "Emma"}, output=Report)
    page = await job.read_artifact(task.artifacts[0])
    sections = [[each.subtask, each.agent] for each in task.sections]
    return [task.output.summary, page.decode(), sections]
