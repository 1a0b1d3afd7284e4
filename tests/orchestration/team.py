"""A team: agents that tell what they were given, and one that leads as it is told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from lampwork import Answer, Call, Genie, LampworkError, Orchestrator, Project, Turn, playbook
from lampwork.errors import JobFailed

E = TypeVar("E", bound=LampworkError)
Decide = Callable[[Turn], Any]


def agent(project: Project, name: str, decide: Decide | None = None, **given: Any) -> Genie:
    """One that answers with what it was asked and given, or as `decide` says."""

    @playbook
    async def play(turn: Turn) -> Any:
        if decide is None:
            return Answer(f"{name}: {turn.instructions}")
        found = decide(turn)
        return await found if hasattr(found, "__await__") else found

    return project.genie(name, model=play, job_description=f"You are {name}.", **given)


def lead(
    project: Project,
    agents: Sequence[Genie],
    subtasks: Sequence[dict[str, Any]] = (),
    *,
    then: Decide = lambda turn: Answer(summary(turn)),
    name: str = "lead",
    **given: Any,
) -> Orchestrator:
    """An orchestrator that makes this plan, then does what `then` says."""

    @playbook
    def decide(turn: Turn) -> Any:
        return then(turn) if turn.results else Call("plan", subtasks=list(subtasks))

    return project.orchestrator(
        name, model=decide, job_description="You lead.", agents=agents, **given
    )


def subtask(id: str, agent: str, **more: Any) -> dict[str, Any]:
    """A subtask as a model gives it."""
    return {"id": id, "title": id.title(), "agent": agent, "brief": f"do {id}", **more}


def of(turn: Turn) -> dict[str, dict[str, Any]]:
    """What the last round said of each subtask."""
    return {each["subtask"]: each for each in turn.results[-1].value["subtasks"]}


def summary(turn: Turn) -> str:
    """Each subtask with its status, in a line."""
    return ", ".join(f"{id} {each['status']}" for id, each in of(turn).items())


class Ended(list[E]):
    """The error that a task from outside a recipe has ended with."""

    @property
    def error(self) -> E:
        return self[0]


@contextmanager
def ends_with(kind: type[E], match: str | None = None) -> Generator[Ended[E]]:
    """That a task, assigned from outside, ends with such an error."""
    found = Ended[E]()
    with pytest.raises(JobFailed, match=match) as raised:
        yield found
    error = LampworkError.from_record(raised.value.error)
    assert isinstance(error, kind), error
    found.append(error)
