"""Jobs, tasks and conversations of a server: what there is, and what can be done about it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from typing import Any, TypeVar, overload

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypeForm, Unpack

from lampwork.client.asking import Asking, segment
from lampwork.client.connection import read
from lampwork.client.hints import Delta, Hint, follow
from lampwork.client.listing import Listing
from lampwork.errors import InputInvalid, JobFailed, joined
from lampwork.types import Json, Resolution, is_job_id
from lampwork.views import (
    ConversationDetails,
    ConversationsWanted,
    ConversationView,
    CopyPlan,
    JobDetails,
    JobsWanted,
    JobTree,
    JobView,
    NewParts,
    Operations,
    OrchestrationView,
    Page,
    RequestView,
    SpendOfDay,
    TaskDetails,
    WorkerView,
    in_full,
    to_json,
)

__all__ = ["JobCalls"]

T = TypeVar("T")


class JobCalls(Asking):
    """What can be done with jobs, and known of them."""

    # --- what there is ---

    def jobs(
        self, *, after: str | None = None, limit: int = 50, **wanted: Unpack[JobsWanted]
    ) -> Listing[JobView]:
        """Those jobs that are wanted, the newest first; without a wish, the newest tree first, each
        from its root down. A page may have few items, or none, and a `next`.
        """
        return self._list(Page[JobView], "/api/jobs", after, limit=limit, **_query(wanted))

    async def job(self, job_id: str) -> JobDetails:
        """A job in full. Raises JobNotFound."""
        return await self._get(JobDetails, _job(job_id))

    async def view(self, job_id: str) -> JobView:
        """A job as in a list: how it stands. Raises JobNotFound."""
        return await self._get(JobView, _job(job_id, "summary"))

    async def tree(self, job_id: str) -> JobTree:
        """A job and those below it, cut to what fits a screen. Raises JobNotFound."""
        return await self._get(JobTree, _job(job_id, "timeline"))

    async def task(self, task_id: str) -> TaskDetails:
        """A task in full. Raises TaskNotFound."""
        return await self._get(TaskDetails, _task(task_id))

    async def orchestration(self, id: str) -> OrchestrationView:
        """The ledger of an orchestration, by its task or the job that assigned it.

        Raises TaskNotFound, JobNotFound; of a job that has several, SeveralOrchestrations, whose
        `orchestrations` lists them.
        """
        at = (_job if is_job_id(id) else _task)(id, "orchestration")
        return await self._get(OrchestrationView, at)

    async def file(self, task_id: str, name: str) -> bytes:
        """The content of a file that a task was given. Raises TaskNotFound, ArtifactNotFound."""
        return (await self._connection.ask("GET", _task(task_id, "files", name))).content

    async def artifact_of_task(self, task_id: str, name: str) -> bytes:
        """The content of what a task has saved under a name, the last one. Raises as `file`."""
        return (await self._connection.ask("GET", _task(task_id, "artifacts", name))).content

    async def fetch(self, url: str) -> bytes:
        """The content of a file, by the `url` with which it is shown.

        >>> [file] = (await client.task(task_id)).files
        >>> await client.fetch(file.url)

        Raises TaskNotFound, ArtifactNotFound; InputInvalid for another server's address.
        """
        if not url.startswith("/api/"):
            raise InputInvalid(f"{url!r} is no address below the server's own.", problems=["url"])
        return (await self._connection.ask("GET", url)).content

    def conversations(
        self, *, after: str | None = None, limit: int = 50, **wanted: Unpack[ConversationsWanted]
    ) -> Listing[ConversationView]:
        """Those conversations that are wanted, the newest first."""
        path, as_ = "/api/conversations", Page[ConversationView]
        return self._list(as_, path, after, limit=limit, **_query(wanted))

    async def conversation(self, conversation_id: str) -> ConversationDetails:
        """A conversation in full. Raises ConversationNotFound."""
        return await self._get(ConversationDetails, _conversation(conversation_id))

    async def transcript(
        self, conversation_id: str, *, after: int = 0, limit: int = 500
    ) -> NewParts:
        """What has come to a transcript after an entry, of at most `limit` entries.

        Raises ConversationNotFound.
        """
        path = _conversation(conversation_id, "transcript")
        return await self._get(NewParts, path, {"after": after, "limit": limit})

    async def requests(self, conversation_id: str) -> tuple[RequestView, ...]:
        """What the model was sent in a conversation, request by request.

        Raises ConversationNotFound.
        """
        found = await self._get(Page[RequestView], _conversation(conversation_id, "requests"))
        return tuple(in_full(found.items))

    async def recording(self, conversation_id: str) -> dict[str, Json]:
        """A conversation for tests to play again: `testing.recorded` takes it from a file.

        Raises ConversationNotFound, InputInvalid.
        """
        return await self._get(dict[str, Json], _conversation(conversation_id, "recording"))

    async def artifact(self, conversation_id: str, name: str) -> bytes:
        """The content of what its tasks have saved under a name, the last one.

        Raises ConversationNotFound, ArtifactNotFound.
        """
        path = _conversation(conversation_id, "artifacts", name)
        return (await self._connection.ask("GET", path)).content

    async def operations(self, *, seconds: float = 86400.0) -> Operations:
        """How the whole is doing, with what was spent in these last seconds."""
        return await self._get(Operations, "/api/status", {"seconds": seconds})

    async def workers(self) -> tuple[WorkerView, ...]:
        """The processes that execute, and those gone lately; the last to start first."""
        return (await self._get(Page[WorkerView], "/api/workers")).items

    async def usage(self, *, days: int = 30) -> tuple[SpendOfDay, ...]:
        """What was spent on each of these last days in UTC, by genie and model."""
        return (await self._get(Page[SpendOfDay], "/api/usage", {"days": days})).items

    # --- what happens ---

    @overload
    def follow(
        self,
        *,
        jobs: Collection[str] | None = None,
        conversations: Collection[str] = (),
        orchestrations: Collection[str] = (),
    ) -> AsyncGenerator[Hint]: ...

    @overload
    def follow(
        self,
        *,
        jobs: Collection[str] | None = None,
        conversations: Collection[str] = (),
        orchestrations: Collection[str] = (),
        deltas: Collection[str],
    ) -> AsyncGenerator[Hint | Delta]: ...

    def follow(
        self,
        *,
        jobs: Collection[str] | None = None,
        conversations: Collection[str] = (),
        orchestrations: Collection[str] = (),
        deltas: Collection[str] = (),
    ) -> AsyncGenerator[Any]:
        """Hints at what has changed, without an end: of all jobs, or of these and those below them;
        of conversations; of orchestrations, by their tasks or jobs, when a subtask has moved. A
        hint bears the id that was given; that of a job stands for all orchestrations that it has.

        >>> async for hint in client.follow(jobs=[job_id]):
        ...     tree = await client.tree(job_id)

        The first one is `everything`, and so is the one after each gap: whoever fetches what is
        hinted at loses nothing. What is said in the conversations that `deltas` names comes as it
        is said, if the server's own process works on them. Raises ServerUnreachable once the server
        was away too long; ConversationNotFound, TaskNotFound, JobNotFound.
        """
        return follow(self._connection, jobs, conversations, orchestrations, deltas)

    async def wait(self, job_id: str) -> JobDetails:
        """Wait until a job has ended; all of it. Raises JobNotFound."""
        async with aclosing(self.follow(jobs=[job_id])) as hints:
            async for hint in hints:
                if hint.is_about(job_id) and (await self.view(job_id)).ended_at is not None:
                    break
        return await self.job(job_id)

    @overload
    async def result(self, job_id: str) -> Any: ...

    @overload
    async def result(self, job_id: str, annotation: TypeForm[T]) -> T: ...

    async def result(self, job_id: str, annotation: Any = Any) -> Any:
        """Wait until a job has ended; what it returned, as `annotation`.

        >>> await client.result(job.job_id, Verdict)
        Verdict(status='refund')

        Of a task without a recipe that is its answer, with `output`, `response` and `actions`.
        Raises JobFailed, JobNotFound; InputInvalid if it returned something else.
        """
        job = await self.wait(job_id)
        if job.status != "succeeded":
            error = to_json(job.error)
            why = "" if job.error is None else f": {job.error.message}"
            raise JobFailed(
                f"Job {job_id} {job.status}{why}",
                job_id=job_id,
                job_status=job.status,
                error=error,
            )
        try:
            return TypeAdapter(annotation).validate_python(job.output)
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in error.errors()
            ]
            wanted = getattr(annotation, "__name__", str(annotation))
            raise InputInvalid(
                f"The result of job {job_id} is no {wanted}: {joined(problems)}",
                problems=problems,
            ) from error

    # --- what can be done ---

    async def send_event(self, job_id: str, name: str, value: Any = None) -> JobView:
        """Send an event to a job, for its `wait_for(name)`, now or later.

        Raises JobNotFound, JobEnded, InputInvalid.
        """
        return await self._post(JobView, _job(job_id, "events", name), {"value": value})

    async def cancel(self, job_id: str) -> JobView:
        """Cancel a job and all below it but detached ones. Raises JobNotFound, JobEnded."""
        return await self._post(JobView, _job(job_id, "cancel"))

    async def go_on(self, job_id: str) -> JobView:
        """Let a job that needed attention run again. Raises JobNotFound, Conflict."""
        return await self._post(JobView, _job(job_id, "go-on"))

    async def resolve(
        self,
        job_id: str,
        wait_id: str,
        resolution: Resolution,
        *,
        result: Json = None,
        reason: str = "",
    ) -> JobView:
        """Say what became of an effect whose outcome is unknown, as the holder of the key.

        Raises WaitNotFound, AlreadyAnswered, JobEnded, InputInvalid.
        """
        said = {"wait_id": wait_id, "resolution": resolution, "result": result, "reason": reason}
        return await self._post(JobView, _job(job_id, "resolve"), said)

    async def confirm(self, job_id: str, wait_id: str, *, digest: str) -> JobView:
        """Let a skill call be done that waits for its user, who is the holder of the key.

        `digest` is that of the proposal that was seen. Raises WaitNotFound, UserNotAllowed,
        AlreadyAnswered, JobEnded, ProposalChanged.
        """
        said = {"wait_id": wait_id, "digest": digest}
        return await self._post(JobView, _job(job_id, "confirm"), said)

    async def reject(self, job_id: str, wait_id: str, *, digest: str, reason: str = "") -> JobView:
        """Let such a call not be done; the genie is told why. Raises what `confirm` raises."""
        said = {"wait_id": wait_id, "digest": digest, "reason": reason}
        return await self._post(JobView, _job(job_id, "reject"), said)

    async def approve_plan(
        self, orchestration: str, *, digest: str, reason: str = ""
    ) -> OrchestrationView:
        """Let the plan of an orchestration be carried out that waits for that.

        `digest` is that of the plan which was seen (`rounds[-1].approval.digest`). Raises
        TaskNotFound, WaitNotFound, AlreadyAnswered, JobEnded, ProposalChanged.
        """
        said = {"digest": digest, "reason": reason}
        return await self._post(OrchestrationView, _plan(orchestration, "approve"), said)

    async def reject_plan(
        self, orchestration: str, *, digest: str, reason: str = ""
    ) -> OrchestrationView:
        """Let such a plan not be carried out: its orchestrator is told why, and may plan again.

        Raises what `approve_plan` raises.
        """
        said = {"digest": digest, "reason": reason}
        return await self._post(OrchestrationView, _plan(orchestration, "reject"), said)

    async def edit_plan(
        self, orchestration: str, subtasks: Json, *, digest: str, reason: str = ""
    ) -> OrchestrationView:
        """Propose other subtasks instead of those that wait to be approved, and wait in their turn.

        They are checked like the model's. Raises InputInvalid, and what `approve_plan` raises.
        """
        said = {"subtasks": subtasks, "digest": digest, "reason": reason}
        return await self._post(OrchestrationView, _plan(orchestration, "edit"), said)

    async def answer_subtask(
        self, orchestration: str, subtask: str, answer: Json, *, reason: str = ""
    ) -> OrchestrationView:
        """Answer a subtask in its agent's place, who is stopped.

        Raises TaskNotFound, InputInvalid; SubtaskSettled if it has succeeded, or its round has
        ended.
        """
        return await self._by_hand("answer", orchestration, subtask, reason=reason, answer=answer)

    async def reassign_subtask(
        self, orchestration: str, subtask: str, agent: str, *, reason: str = ""
    ) -> OrchestrationView:
        """Give a subtask to another agent of its orchestrator. Raises as `answer_subtask`."""
        return await self._by_hand("reassign", orchestration, subtask, reason=reason, agent=agent)

    async def retry_subtask(
        self, orchestration: str, subtask: str, *, reason: str = ""
    ) -> OrchestrationView:
        """Have a subtask tried anew, as it was planned. Raises as `answer_subtask`."""
        return await self._by_hand("retry", orchestration, subtask, reason=reason)

    async def skip_subtask(
        self, orchestration: str, subtask: str, *, reason: str = ""
    ) -> OrchestrationView:
        """Have a subtask not done: what depends on it goes on as if it had failed.

        Raises as `answer_subtask`.
        """
        return await self._by_hand("skip", orchestration, subtask, reason=reason)

    async def _by_hand(
        self, verb: str, orchestration: str, subtask: str, **said: Json
    ) -> OrchestrationView:
        path = _task(orchestration, "orchestration", "subtasks", subtask, verb)
        return await self._post(OrchestrationView, path, said)

    async def answer_task(self, task_id: str, answer: Json, *, note: str | None = None) -> JobView:
        """Answer a task that waits, or has failed, in the genie's place; the job that goes on.

        Raises TaskNotFound, InputInvalid, TaskNotWaiting, AlreadyAnswered, Conflict.
        """
        said = {"answer": answer, "note": note}
        return await self._post(JobView, _task(task_id, "answer"), said)

    async def plan_answer(
        self, task_id: str, answer: Json, *, note: str | None = None
    ) -> CopyPlan | None:
        """The retry that `answer_task` would make with this answer; None if the task waits.

        Raises as `answer_task` does.
        """
        said = {"answer": answer, "note": note}
        path = _task(task_id, "answer", "plan")
        return read(await self._connection.ask("POST", path, body=said), CopyPlan | None)

    # --- copies ---

    async def plan_retry(self, job_id: str) -> CopyPlan:
        """What a retry would keep and do again. Raises JobNotFound, CopyRefused."""
        return await self._get(CopyPlan, _job(job_id, "retry"))

    async def plan_rerun(self, job_id: str) -> CopyPlan:
        """What a rerun would do again. Raises JobNotFound, CopyRefused."""
        return await self._get(CopyPlan, _job(job_id, "rerun"))

    async def plan_fork(self, job_id: str, *, at: int) -> CopyPlan:
        """What a fork would keep and do again. Raises JobNotFound, CopyRefused, InputInvalid."""
        return await self._get(CopyPlan, _job(job_id, "fork"), {"at": at})

    async def retry(self, job_id: str) -> JobView:
        """Do a failed or cancelled job again from the call that failed it, as a new job.

        Raises JobNotFound, CopyRefused.
        """
        return await self._post(JobView, _job(job_id, "retry"))

    async def rerun(self, job_id: str) -> JobView:
        """Do a job again from its input, as a new job. Raises JobNotFound, CopyRefused."""
        return await self._post(JobView, _job(job_id, "rerun"))

    async def fork(self, job_id: str, *, at: int) -> JobView:
        """Do a job again from its call number `at`, as a new job that keeps the calls before it.

        Raises JobNotFound, CopyRefused, InputInvalid.
        """
        return await self._post(JobView, _job(job_id, "fork"), {"at": at})


def _query(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that say what is wanted."""
    return {name: to_json(each) for name, each in wanted.items() if each not in (None, False)}


def _job(job_id: str, *names: str) -> str:
    return "/".join(["/api/jobs", segment(job_id), *map(segment, names)])


def _task(task_id: str, *names: str) -> str:
    return "/".join(["/api/tasks", segment(task_id), *map(segment, names)])


def _plan(orchestration: str, *names: str) -> str:
    return _task(orchestration, "orchestration", "plan", *names)


def _conversation(conversation_id: str, *names: str) -> str:
    return "/".join(["/api/conversations", segment(conversation_id), *map(segment, names)])
