"""The one read model that the CLI, the API and the console share.

It reads the tables, in any process, and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from lampwork import lock, values
from lampwork.errors import ArtifactNotFound, WaitNotFound, quoted
from lampwork.insights import belonging
from lampwork.insights.conversations import (
    conversation_details,
    page_of_conversations,
    parts_after,
)
from lampwork.insights.executors import holder_of, liveness, workers
from lampwork.insights.files import given_file, saved_file, stored_file
from lampwork.insights.genies import genie_views, paused_in, skill_view
from lampwork.insights.jobs import (
    Depth,
    Finished,
    Rows,
    job_details,
    job_tree,
    one_job,
    page_of_jobs,
    read_rows,
    restoration_view,
)
from lampwork.insights.jobs_wanted import conversation_filter, job_filter
from lampwork.insights.operations import operations_of, usage_by_day
from lampwork.insights.places import check_conversation, check_job
from lampwork.insights.recipes import recipe_details, recipe_views
from lampwork.insights.recording import recording
from lampwork.insights.tasks import task_details
from lampwork.insights.triggers import kept_of, trigger_details, trigger_views
from lampwork.place import Place, Server
from lampwork.store.jobs import kept
from lampwork.store.lists import changes, queries
from lampwork.store.processes import executors
from lampwork.store.store import Store
from lampwork.store.tasks import artifacts
from lampwork.store.upkeep import restorations
from lampwork.types import Json, is_job_id
from lampwork.views import (
    ConversationDetails,
    ConversationsWanted,
    ConversationView,
    Executor,
    FileView,
    GenieView,
    JobDetails,
    JobsWanted,
    JobTree,
    JobView,
    NewParts,
    Operations,
    OrchestrationView,
    Page,
    PauseView,
    RecipeDetails,
    RecipeView,
    RequestView,
    RestorationView,
    SkillView,
    SpendOfDay,
    TaskDetails,
    TriggerDetails,
    TriggerView,
    WorkerView,
)

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.project import Project
    from lampwork.recipe import Recipe

__all__ = ["Insights"]

_IN_FULL = Depth(jobs=200, per_call=50, entries=2000)
_AT_A_GLANCE = Depth(jobs=30, per_call=6, entries=40)

_KEPT = 1000
"""Ended jobs whose calls are kept, because they never change again."""


class Insights:
    """What can be known of the jobs and conversations of one folder; or of one project in it."""

    def __init__(self, store: Store, *, project: str | None = None) -> None:
        """With a `project`, what belongs to others is not there."""
        self.store = store
        self.project = project
        self._ended: dict[str, list[Finished]] = {}
        self._too_large: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Insights]:
        """Those at a place, with a store of their own.

        Raises FolderNotWritable, DatabaseTooNew.
        """
        store = await asyncio.to_thread(Store, place)
        try:
            yield cls(store)
        finally:
            await asyncio.to_thread(store.close)

    async def require_database(self) -> None:
        """Raise StoreUnavailable unless the database answers."""
        await self.store.read(queries.answers)

    # --- jobs ---

    async def jobs(
        self,
        *,
        after: str | None = None,
        limit: int = 50,
        examined: int | None = None,
        **wanted: Unpack[JobsWanted],
    ) -> Page[JobView]:
        """Those jobs that are wanted, the newest first; without a wish, the newest tree first, each
        from its root down.

        Where no index leads to what is wanted, `examined` jobs are looked at for a page, which may
        have few items or none then, and a `next`. Raises InputInvalid for an `after` that is no
        job's id.
        """
        return await self.store.read(
            page_of_jobs,
            project=self.project,
            wanted=job_filter(wanted),
            after=after,
            limit=limit,
            examined=examined,
        )

    async def restoration(self) -> RestorationView | None:
        """The last restore, until a person says that all that was done before it is known."""
        found = await self.store.read(restorations.open_one)
        return None if found is None else restoration_view(found)

    async def job(self, job_id: str) -> JobDetails:
        """A job in full. Raises JobNotFound."""
        await self.require_job(job_id)
        rows = await self.store.read(read_rows, job_id, _IN_FULL)
        return job_details(rows, await self._finished(rows))

    async def tree(self, job_id: str) -> JobTree:
        """A job and those below it, cut to what fits a screen. Raises JobNotFound."""
        await self.require_job(job_id)
        rows = await self.store.read(read_rows, job_id, _AT_A_GLANCE)
        return job_tree(rows, await self._finished(rows))

    async def view(self, job_id: str) -> JobView:
        """A job as in a list. Raises JobNotFound."""
        await self.require_job(job_id)
        return await self.store.read(one_job, job_id)

    async def require_job(self, job_id: str) -> None:
        """Raise JobNotFound for a job of another project as for none, if there is a `project`."""
        if self.project is not None:
            await self.store.read(belonging.require_job, job_id, self.project)

    async def check_job(self, given: str) -> None:
        """Raise JobNotFound for an id of something else, or of nothing."""
        await self.store.read(check_job, given)

    async def require_wait(self, job_id: str, wait_id: str) -> None:
        """Raise WaitNotFound unless a job waits, or has waited, for it."""
        await self.store.read(belonging.require_wait, job_id, wait_id)

    async def require_own_words(self, job_id: str, user: str) -> None:
        """Raise UserNotAllowed for a job that is what another user has said in a chat."""
        await self.store.read(belonging.require_own_words, job_id, user)

    async def require_task(self, task_id: str) -> None:
        """Raise TaskNotFound, as `require_job` does."""
        if self.project is not None:
            await self.store.read(belonging.require_task, task_id, self.project)

    async def check_wait(self, job_id: str, wait_id: str) -> dict[str, Json]:
        """The subject of a wait. Raises WaitNotFound unless it is one of this job's own."""
        row = await self.store.read(queries.wait, wait_id)
        if row is None:
            raise WaitNotFound(
                f"Job {job_id} has no wait {wait_id}. "
                f"`lampwork job {job_id}` lists what it waits for."
            )
        if row.job_id != job_id:
            raise WaitNotFound(
                f"Wait {wait_id} is not of job {job_id} but of {row.job_id}. "
                f"Type: lampwork job {row.job_id} "
                f"{'confirm' if row.kind == 'confirmation' else 'resolve'} {wait_id} …"
            )
        return row.subject

    async def executing(self, project: str) -> Executor | None:
        """The process that executes the jobs of a project, or will next, if one does.

        In a folder it may be one that executes others, and keeps everybody else out.
        """
        place = self.store.place
        holder = await asyncio.to_thread(holder_of, place)
        rows = await self.store.read(executors.unclosed)
        alive = [
            Executor(pid=row.pid, project=row.project, limited=row.limited)
            for row in rows
            if liveness(row, holder) == "alive"
        ]
        if isinstance(place, Server):
            return next((each for each in alive if each.executes_all_of(project)), None)
        if alive:
            return alive[0]
        dev = await asyncio.to_thread(lock.in_charge, place.path)
        return Executor(pid=int(dev), project=None) if dev and dev.isdigit() else None

    async def workers(self) -> tuple[WorkerView, ...]:
        """The processes that execute here, and those gone lately; the last to start first."""
        holder = await asyncio.to_thread(holder_of, self.store.place)
        return await self.store.read(workers, holder, self.project)

    async def operations(self, *, seconds: float = 86400.0) -> Operations:
        """How the whole is doing, with what was spent in these last seconds."""
        holder = await asyncio.to_thread(holder_of, self.store.place)
        return await self.store.read(operations_of, seconds, holder, self.project)

    async def usage(self, *, days: int = 30) -> tuple[SpendOfDay, ...]:
        """What was spent on each of these last days in UTC, by genie and model."""
        return await self.store.read(usage_by_day, days, self.project)

    # --- what has changed ---

    def on_change(self, hear: Callable[[], None]) -> Callable[[], None]:
        """Call `hear`, in some thread, after each commit; what is returned ends that."""
        return self.store.on_commit(hear)

    async def jobs_since(self, moment: float, project: str) -> Mapping[str, float]:
        """The jobs of a project that were changed after a moment, and when, in epoch seconds."""
        return await self.store.read(changes.jobs_since, moment, project)

    async def last_entries(self, conversations: Collection[str]) -> Mapping[str, int]:
        """The number of the last entry of each of these conversations."""
        return await self.store.read(changes.last_entries, conversations)

    async def orchestrations_at(self, ids: Collection[str]) -> Mapping[str, int]:
        """Of each of these orchestrations, by task or job, a number, which grows with all that its
        ledger shows."""
        return await self.store.read(changes.orchestrations_at, ids)

    async def has_several_projects(self) -> bool:
        """Whether jobs of more than one project are here."""
        return await self.store.read(queries.has_several_projects)

    async def projects(self) -> set[str]:
        """Those that had a job, a trigger or a process here."""
        return await self.store.read(queries.projects)

    async def has_people(self, project: str) -> bool:
        """Whether somebody has a role in a project, or a key for it."""
        return await self.store.read(queries.has_people, project)

    async def unfinished_of_others(self, project: str) -> dict[str, int]:
        """How many jobs of each other project have not ended."""
        return await self.store.read(queries.unfinished_of_others, project)

    async def kept(self, project: str) -> Sequence[str]:
        """The jobs of a project that have not ended and are kept on older code."""
        return await self.store.read(kept.unfinished, project)

    async def _finished(self, rows: Rows) -> dict[str, list[Finished]]:
        """The finished calls of the jobs in a tree."""
        calls = {
            each: [await self._call(row) for row in rows.begun[each] if row.envelope is not None]
            for each in rows.with_calls
            if each not in self._ended
        }
        if len(self._ended) < _KEPT:
            self._ended |= {each: calls[each] for each in calls if each in rows.ended}
        return calls | {each: self._ended[each] for each in rows.with_calls if each not in calls}

    async def _call(self, row: queries.Row) -> Finished:
        outcome, folded = None, row.envelope
        if folded not in self._too_large:
            text = await self.store.unfold(folded)
            outcome = values.read(text)
            if text is not folded and isinstance(outcome, values.Value):
                self._too_large.add(folded)
                outcome = None
        blob = folded.partition(":")[2] if outcome is None else None
        return Finished(row.number, row.ended_at, outcome, blob, row.kept_from)

    # --- recipes ---

    async def recipes(self, project: Project, *, days: float = 7) -> Sequence[RecipeView]:
        """The recipes of a project, with figures of the jobs that were accepted in these days."""
        return await self.store.read(recipe_views, project, days)

    async def recipe(self, project: Project, name: str, *, days: float = 7) -> RecipeDetails:
        """A recipe, with what it takes and returns. Raises RecipeNotFound."""
        return await self.store.read(recipe_details, project, project.find_recipe(name), days)

    def skills(self, project: Project) -> tuple[SkillView, ...]:
        """The skills of a project."""
        return tuple(map(skill_view, project.skills.values()))

    # --- tasks ---

    async def task(self, task_id: str) -> TaskDetails:
        """A task in full. Raises TaskNotFound."""
        await self.require_task(task_id)
        return await self.store.read(task_details, task_id)

    async def orchestration(self, id: str) -> OrchestrationView:
        """The ledger of an orchestration, by its task or the job that assigned it.

        Raises TaskNotFound, JobNotFound; SeveralOrchestrations for a job that has them.
        """
        from lampwork.insights.orchestrations import orchestration  # what reads plans takes time

        await self.require_orchestration(id)
        return await self.store.read(orchestration, id)

    async def require_orchestration(self, id: str) -> None:
        """Raise TaskNotFound or JobNotFound, as `require_job` does, for the id of an orchestration:
        of its task or its job."""
        await (self.require_job if is_job_id(id) else self.require_task)(id)

    # --- genies ---

    async def genies(self, genies: Sequence[Genie], model: str | None) -> tuple[GenieView, ...]:
        """Genies of one project; `model` stands in for each one's own."""
        if not genies:
            return ()
        paused = await self.paused(genies[0].project.name)
        return genie_views(genies, paused, model)

    async def paused(self, project: str) -> Mapping[str, PauseView]:
        """The paused genies of a project, by name."""
        return await self.store.read(paused_in, project)

    # --- triggers ---

    async def triggers(self, project: Project) -> tuple[TriggerView, ...]:
        """The triggers of a project's recipes."""
        return trigger_views(project, await self.store.read(kept_of, project.name))

    async def triggers_of(
        self, project: Project, recipe: Recipe[..., Any]
    ) -> tuple[TriggerDetails, ...]:
        """The triggers of a recipe, in full."""
        kept = await self.store.read(kept_of, project.name, recipe.name)
        return trigger_details(project, recipe, kept)

    # --- conversations ---

    async def conversations(
        self,
        *,
        after: str | None = None,
        limit: int = 50,
        examined: int | None = None,
        **wanted: Unpack[ConversationsWanted],
    ) -> Page[ConversationView]:
        """Those conversations that are wanted, the newest first; `examined` as for `jobs`.

        Raises InputInvalid for an `after` that is no conversation's id.
        """
        return await self.store.read(
            page_of_conversations,
            project=self.project,
            wanted=conversation_filter(wanted),
            after=after,
            limit=limit,
            examined=examined,
        )

    async def conversation(self, conversation_id: str) -> ConversationDetails:
        """A conversation in full. Raises ConversationNotFound."""
        await self.require_conversation(conversation_id)
        return await self.store.read(conversation_details, conversation_id)

    async def transcript(self, conversation_id: str, *, after: int, limit: int) -> NewParts:
        """What has come to a transcript after an entry, of at most `limit` entries.

        Raises ConversationNotFound.
        """
        await self.require_conversation(conversation_id)
        return await self.store.read(parts_after, conversation_id, after, limit)

    async def require_conversation(self, conversation_id: str) -> None:
        """Raise ConversationNotFound, as `require_job` does."""
        if self.project is not None:
            await self.store.read(belonging.require_conversation, conversation_id, self.project)

    async def check_conversation(self, given: str) -> None:
        """Raise ConversationNotFound for an id of something else, or of nothing."""
        await self.store.read(check_conversation, given)

    async def requests(self, conversation_id: str) -> tuple[RequestView, ...]:
        """What the model was sent in a conversation. Raises ConversationNotFound."""
        from lampwork.insights.requests import requests_of  # what reads tasks takes its time

        await self.require_conversation(conversation_id)
        return await self.store.read(requests_of, conversation_id)

    async def recording(self, conversation_id: str) -> dict[str, Json]:
        """A conversation for tests to play again, see `recording.py`.

        Raises ConversationNotFound, InputInvalid.
        """
        return await self.store.read(recording, conversation_id)

    async def given_file(self, task_id: str, name: str) -> tuple[FileView, bytes]:
        """A file that a task was given. Raises TaskNotFound, NotFound."""
        await self.require_task(task_id)
        return await self.store.read(given_file, task_id, name)

    async def saved_file(
        self, task_id: str, name: str, *, digest: str | None = None
    ) -> tuple[FileView, bytes]:
        """What a task has saved: with that content, or the last one of that name.

        Raises TaskNotFound, ArtifactNotFound.
        """
        await self.require_task(task_id)
        return await self.store.read(saved_file, task_id, name, digest)

    async def stored_file(self, project: str, digest: str) -> tuple[FileView, bytes]:
        """A file of a project by its digest. Raises ArtifactNotFound."""
        return await self.store.read(stored_file, project, digest)

    async def artifact(self, conversation_id: str, name: str) -> tuple[FileView, bytes]:
        """An artifact that tasks in a conversation have saved, the last one of that name.

        Raises ConversationNotFound, ArtifactNotFound.
        """
        found = await self.conversation(conversation_id)
        saved = {file.name: file for file in found.artifacts}
        if name not in saved:
            raise ArtifactNotFound(
                f"Conversation {conversation_id} has no artifact {quoted(name)}. "
                f"It has: {', '.join(saved) or 'none'}."
            )
        file = saved[name]
        return file, await self.store.read(artifacts.content, found.project, file.digest)
