"""A folder or a database, as verbs read from it and act on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from lampwork.door import Door
from lampwork.insights import Insights
from lampwork.insights.genies import genie_views
from lampwork.insights.triggers import NOTHING, trigger_details, trigger_views
from lampwork.jobs_door import JobsDoor
from lampwork.project import Project
from lampwork.types import JobRef, Json, Resolution
from lampwork.views import (
    ConversationDetails,
    ConversationsWanted,
    ConversationView,
    CopyPlan,
    Executor,
    FileView,
    GenieView,
    JobDetails,
    JobsWanted,
    JobTree,
    JobView,
    Operations,
    OrchestrationView,
    Page,
    RequestView,
    TriggerDetails,
    TriggerView,
    WorkerView,
)

if TYPE_CHECKING:
    from lampwork.store.store import Store

__all__ = ["AtPlace", "NothingWritten", "ProjectAtPlace"]


class AtPlace:
    """What the tables say, and what is written to them in somebody's name."""

    def __init__(self, store: Store, *, by: str, code: Project | None = None) -> None:
        """With the code of a project, answers in place of its genies are checked by its types."""
        self.store = store
        self.insights = Insights(store)
        self.by = by
        self.door = JobsDoor(store)
        self.code = code

    async def jobs(
        self, *, after: str | None = None, limit: int = 50, **wanted: Unpack[JobsWanted]
    ) -> Page[JobView]:
        """As the read model has it, and so below."""
        return await self.insights.jobs(after=after, limit=limit, **wanted)

    async def job(self, job_id: str) -> JobDetails:
        return await self.insights.job(job_id)

    async def tree(self, job_id: str) -> JobTree:
        return await self.insights.tree(job_id)

    async def view(self, job_id: str) -> JobView:
        return await self.insights.view(job_id)

    async def conversations(
        self, *, after: str | None = None, limit: int = 50, **wanted: Unpack[ConversationsWanted]
    ) -> Page[ConversationView]:
        return await self.insights.conversations(after=after, limit=limit, **wanted)

    async def conversation(self, conversation_id: str) -> ConversationDetails:
        return await self.insights.conversation(conversation_id)

    async def orchestration(self, id: str) -> OrchestrationView:
        return await self.insights.orchestration(id)

    async def requests(self, conversation_id: str) -> tuple[RequestView, ...]:
        return await self.insights.requests(conversation_id)

    async def recording(self, conversation_id: str) -> dict[str, Json]:
        return await self.insights.recording(conversation_id)

    async def workers(self) -> tuple[WorkerView, ...]:
        return await self.insights.workers()

    async def operations(self, *, seconds: float = 86400.0) -> Operations:
        return await self.insights.operations(seconds=seconds)

    async def executing(self, project: str) -> Executor | None:
        return await self.insights.executing(project)

    async def has_several_projects(self) -> bool:
        return await self.insights.has_several_projects()

    async def check_job(self, given: str) -> None:
        await self.insights.check_job(given)

    async def check_conversation(self, given: str) -> None:
        await self.insights.check_conversation(given)

    async def saved(self, conversation_id: str, name: str) -> tuple[FileView, bytes]:
        """An artifact of a conversation, with its content. Raises ArtifactNotFound."""
        return await self.insights.artifact(conversation_id, name)

    async def subject_of(self, job_id: str, wait_id: str) -> dict[str, Json]:
        """The facts of what a job waits for. Raises WaitNotFound."""
        return await self.insights.check_wait(job_id, wait_id)

    async def send_event(self, job_id: str, name: str, value: Json = None) -> None:
        """As the door does it, and so below."""
        await self.door.send_event(job_id, name, value, source=self.by)

    async def cancel(self, job_id: str) -> None:
        await self.door.cancel(job_id)

    async def go_on(self, job_id: str) -> None:
        await self.door.go_on(job_id)

    async def resolve(
        self,
        job_id: str,
        wait_id: str,
        resolution: Resolution,
        *,
        result: Json = None,
        reason: str = "",
    ) -> None:
        await self.insights.check_wait(job_id, wait_id)
        await self.door.resolve(wait_id, resolution, result=result, reason=reason, by=self.by)

    async def confirm(self, job_id: str, wait_id: str, *, digest: str) -> None:
        await self.door.confirm(wait_id, by=self.by, digest=digest)

    async def reject(self, job_id: str, wait_id: str, *, digest: str, reason: str = "") -> None:
        await self.door.reject(wait_id, by=self.by, digest=digest, reason=reason)

    async def approve_plan(self, orchestration: str, *, digest: str, reason: str = "") -> None:
        await self.door.approve_plan(orchestration, by=self.by, digest=digest, reason=reason)

    async def reject_plan(self, orchestration: str, *, digest: str, reason: str = "") -> None:
        await self.door.reject_plan(orchestration, by=self.by, digest=digest, reason=reason)

    async def edit_plan(
        self, orchestration: str, subtasks: Json, *, digest: str, reason: str = ""
    ) -> None:
        given = {"by": self.by, "digest": digest, "reason": reason}
        await self.door.edit_plan(orchestration, subtasks, **given)

    async def answer_subtask(
        self, orchestration: str, subtask: str, answer: Json, *, reason: str = ""
    ) -> None:
        given = {"by": self.by, "reason": reason}
        await self.door.answer_subtask(orchestration, subtask, answer, **given)

    async def reassign_subtask(
        self, orchestration: str, subtask: str, agent: str, *, reason: str = ""
    ) -> None:
        given = {"by": self.by, "reason": reason}
        await self.door.reassign_subtask(orchestration, subtask, agent, **given)

    async def retry_subtask(self, orchestration: str, subtask: str, *, reason: str = "") -> None:
        await self.door.retry_subtask(orchestration, subtask, by=self.by, reason=reason)

    async def skip_subtask(self, orchestration: str, subtask: str, *, reason: str = "") -> None:
        await self.door.skip_subtask(orchestration, subtask, by=self.by, reason=reason)

    async def answer_task(self, task_id: str, answer: Json, *, note: str | None = None) -> JobRef:
        door = await self._door_of(task_id)
        return await door.answer_task(task_id, answer, by=self.by, note=note)

    async def plan_answer(
        self, task_id: str, answer: Json, *, note: str | None = None
    ) -> CopyPlan | None:
        door = await self._door_of(task_id)
        return await door.plan_answer(task_id, answer, by=self.by, note=note)

    async def _door_of(self, task_id: str) -> JobsDoor:
        """The door that knows the types of a task's project, if its code is here."""
        job = await self.view((await self.insights.task(task_id)).job)
        is_here = self.code is not None and self.code.name == job.project
        return Door(self.code, self.store) if self.code and is_here else self.door

    async def plan_retry(self, job_id: str) -> CopyPlan:
        return await self.door.plan_retry(job_id)

    async def plan_rerun(self, job_id: str) -> CopyPlan:
        return await self.door.plan_rerun(job_id)

    async def plan_fork(self, job_id: str, *, at: int) -> CopyPlan:
        return await self.door.plan_fork(job_id, at=at)

    async def copy(self, plan: CopyPlan) -> JobRef:
        return await self.door.copy(plan)


class NothingWritten:
    """What the code of a project says where nothing was ever written."""

    def __init__(self, project: Project, model: str | None) -> None:
        self.code = project
        self.model = model

    async def project(self) -> str:
        """Its name."""
        return self.code.name

    async def executing(self, project: str) -> Executor | None:
        """Nobody."""
        return None

    async def genies(self) -> tuple[GenieView, ...]:
        """All of its genies, none of which is paused."""
        return await self._genies(list(self.code.genies.values()))

    async def genie(self, name: str) -> GenieView:
        """One genie. Raises GenieNotFound."""
        [shown] = await self._genies([self.code.find_genie(name)])
        return shown

    async def _genies(self, genies: Sequence[Any]) -> tuple[GenieView, ...]:
        return genie_views(genies, {}, self.model)

    async def triggers(self) -> tuple[TriggerView, ...]:
        """Its triggers, none of which has fired."""
        return trigger_views(self.code, NOTHING)

    async def triggers_of(self, recipe: str) -> tuple[TriggerDetails, ...]:
        """Those of a recipe. Raises RecipeNotFound."""
        return trigger_details(self.code, self.code.find_recipe(recipe), NOTHING)


class ProjectAtPlace(NothingWritten):
    """A project with what is on record of it, and what is written in somebody's name."""

    def __init__(self, project: Project, insights: Insights, model: str | None, *, by: str) -> None:
        super().__init__(project, model)
        self.insights = insights
        self.door = Door(project, insights.store)
        self.by = by

    async def executing(self, project: str) -> Executor | None:
        """The process that executes its jobs, or will next, if one does."""
        return await self.insights.executing(project)

    async def _genies(self, genies: Sequence[Any]) -> tuple[GenieView, ...]:
        return await self.insights.genies(genies, self.model)

    async def pause_genie(self, name: str, *, why: str = "") -> None:
        await self.door.pause_genie(name, by=self.by, why=why)

    async def start_genie(self, name: str) -> None:
        await self.door.start_genie(name, by=self.by)

    async def triggers(self) -> tuple[TriggerView, ...]:
        """Its triggers, recipe by recipe."""
        return await self.insights.triggers(self.code)

    async def triggers_of(self, recipe: str) -> tuple[TriggerDetails, ...]:
        """Those of a recipe. Raises RecipeNotFound."""
        return await self.insights.triggers_of(self.code, self.code.find_recipe(recipe))

    async def fire_trigger(self, recipe: str, *, trigger: str | None = None) -> None:
        await self.door.ask_to_fire(recipe, trigger=trigger, by=self.by)

    async def pause_trigger(
        self, recipe: str, *, trigger: str | None = None, why: str = ""
    ) -> None:
        await self.door.pause_trigger(recipe, trigger=trigger, by=self.by, why=why)

    async def start_trigger(
        self, recipe: str, *, trigger: str | None = None, why: str = ""
    ) -> None:
        await self.door.start_trigger(recipe, trigger=trigger, by=self.by, why=why)
