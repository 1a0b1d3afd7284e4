"""What the routes of a server share: the project, its door, and what is read of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from lampwork.app import App
from lampwork.door import Door
from lampwork.errors import LampworkError, NotFound, quoted
from lampwork.insights import Insights
from lampwork.project import Project
from lampwork.server.live import Hints

__all__ = [
    "STREAMS",
    "AtOnce",
    "ConversationId",
    "Here",
    "JobId",
    "ProjectName",
    "Serving",
    "TaskId",
]

STREAMS = 1000
"""Of live hints, for one caller: `client.wait` has one for each job that is waited for."""

_DELIVERIES = 32
"""Whose bodies are read at the same time, of one address."""


@dataclass(slots=True)
class AtOnce:
    """How much goes on at the same time, by who does it."""

    most: int
    _going_on: Counter[str] = field(default_factory=Counter[str])

    @contextmanager
    def one_more(self, who: str, refusal: LampworkError) -> Generator[None]:
        """While one more goes on. Raises the refusal where there are as many as may be."""
        if self._going_on[who] >= self.most:
            raise refusal
        self._going_on[who] += 1
        try:
            yield
        finally:
            self._going_on[who] -= 1
            self._going_on += Counter()  # forgets those of which there are none


@dataclass(slots=True)
class Serving:
    """A project that is served."""

    door: Door
    insights: Insights
    """Of this project alone."""
    hints: Hints
    model: str | None
    """A model id that stands in for every genie's own."""
    draining: bool = False
    """Whether the server takes its leave."""
    streams: AtOnce = field(default_factory=lambda: AtOnce(STREAMS))
    """Of live hints, by caller."""
    deliveries: AtOnce = field(default_factory=lambda: AtOnce(_DELIVERIES))
    """That are being read, by where they come from."""

    @classmethod
    def at(cls, door: Door, *, model: str | None = None, streams: int = STREAMS) -> Serving:
        """The project behind a door; `streams` of live hints are for one caller at a time."""
        project = door.project.name
        insights = Insights(door.store, project=project)
        texts = door.worker.texts if isinstance(door, App) else None
        hints = Hints(insights, project, texts)
        return cls(door, insights, hints, model, streams=AtOnce(streams))

    def drain(self) -> None:
        """Take no more work, and let go of those who follow what happens."""
        self.draining = True
        self.hints.close()

    @property
    def project(self) -> Project:
        return self.door.project

    @property
    def executes(self) -> bool:
        """Whether jobs are executed in this process."""
        return isinstance(self.door, App)


async def _here(request: Request) -> Serving:
    return request.app.state.serving


Here = Annotated[Serving, Depends(_here)]
"""What is served."""


async def _job_here(job_id: str, here: Here) -> str:
    await here.insights.require_job(job_id)
    return job_id


JobId = Annotated[str, Depends(_job_here)]
"""The id of a job of this project. Raises JobNotFound, for another project's as for none."""


async def _task_here(task_id: str, here: Here) -> str:
    await here.insights.require_task(task_id)
    return task_id


TaskId = Annotated[str, Depends(_task_here)]
"""The id of a task of this project. Raises TaskNotFound, as for a JobId."""


async def _conversation_here(conversation_id: str, here: Here) -> str:
    await here.insights.require_conversation(conversation_id)
    return conversation_id


ConversationId = Annotated[str, Depends(_conversation_here)]
"""The id of a conversation of this project. Raises ConversationNotFound, as for a JobId."""


async def _project_here(project: str, here: Here) -> Project:
    if project != here.project.name:
        raise NotFound(f"There is no project {quoted(project)} here.")
    return here.project


ProjectName = Annotated[Project, Depends(_project_here)]
"""The project that the path names. Raises NotFound for one that is not served."""
