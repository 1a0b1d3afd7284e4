"""A server, as verbs read from it and act on it: its client, and what they ask beside."""

from __future__ import annotations

from typing import assert_never

from lampwork.cli.options import Options
from lampwork.client import Client
from lampwork.errors import ArtifactNotFound, WaitNotFound, one_of, quoted
from lampwork.types import Json
from lampwork.views import CopyPlan, Executor, FileView, JobView

__all__ = ["AtServer", "client_of"]

_PATIENCE = 2.0
"""Seconds for which a server that is away is asked again: somebody looks at the screen."""


class AtServer(Client):
    """What a server says, and does."""

    async def saved(self, conversation_id: str, name: str) -> tuple[FileView, bytes]:
        """An artifact of a conversation, with its content. Raises ArtifactNotFound."""
        found = {file.name: file for file in (await self.conversation(conversation_id)).artifacts}
        if name not in found:
            raise ArtifactNotFound(
                f"Conversation {conversation_id} has no artifact {quoted(name)}. "
                f"{one_of(name, found)}"
            )
        return found[name], await self.artifact(conversation_id, name)

    async def executing(self, project: str) -> Executor | None:
        """A process that executes all jobs of a project, if one does."""
        alive = (
            Executor(pid=each.pid, project=each.project, limited=each.limited)
            for each in await self.workers()
            if each.state == "alive"
        )
        return next((each for each in alive if each.executes_all_of(project)), None)

    async def has_several_projects(self) -> bool:
        """Whether jobs of more than one project are shown."""
        return False

    async def check_job(self, given: str) -> None:
        """Nothing to ask beforehand: the server says of each request what there is not."""

    async def check_conversation(self, given: str) -> None:
        """As `check_job`."""

    async def subject_of(self, job_id: str, wait_id: str) -> dict[str, Json]:
        """The facts of what a job waits for. Raises WaitNotFound."""
        for wait in (await self.view(job_id)).waiting_on:
            if wait.wait_id == wait_id:
                return wait.subject or {}
        raise WaitNotFound(
            f"Job {job_id} does not wait for {wait_id}. `lampwork job {job_id}` lists what it "
            "waits for."
        )

    async def copy(self, plan: CopyPlan) -> JobView:
        """Make the copy that was planned."""
        match plan.kind:
            case "retry":
                return await self.retry(plan.original)
            case "rerun":
                return await self.rerun(plan.original)
            case "fork":
                return await self.fork(plan.original, at=plan.at or 1)
            case _:
                assert_never(plan.kind)


def client_of(options: Options, url: str, *, patience: float = _PATIENCE) -> AtServer:
    """The client of the server that is asked. Raises InputInvalid, BadParameter."""
    return AtServer(url, key=options.key, patience=patience)
