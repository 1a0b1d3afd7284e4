"""The door to a project's jobs from outside: start, send, answer, cancel, read.

It needs only the database, so any process may use it; the process that executes hears of what was
written. `app.App` is the door of that process itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, overload

from typing_extensions import Unpack

from lampwork import by_hand, clock, copies, values
from lampwork.copies import CopyPlan
from lampwork.errors import InputInvalid, NotImportable
from lampwork.files.artifact import Artifact
from lampwork.files.taking import take
from lampwork.genies.genie import Genie
from lampwork.genies.model_of import ModelOf, own_or
from lampwork.genies.output import Output, describe
from lampwork.genies.written_type import read_type
from lampwork.job import JobRef
from lampwork.recipe import Recipe, bind_input, check_input
from lampwork.runs import event
from lampwork.runs import resolution as said
from lampwork.runs.deadline import check_not_passed
from lampwork.runs.wait import Delivery
from lampwork.settings import ReadingCaps
from lampwork.store import artifacts, conversations, inbox, jobs, pauses, triggers
from lampwork.store import by_hand as rows_by_hand
from lampwork.store.store import Store
from lampwork.tasks.answer import TaskAnswer
from lampwork.tasks.assignment import (
    Assignment,
    ChatTerms,
    Terms,
    check_assignment,
    check_price,
)
from lampwork.triggers.trigger import as_kept, find_trigger
from lampwork.types import Json, new_job_id

if TYPE_CHECKING:
    from lampwork.project import Project

R = TypeVar("R")
T = TypeVar("T")

_ASSIGNED = "lampwork.job:assigned"
"""The recipe of a task that is assigned from outside any recipe."""

_CHAT = "lampwork.job:chat"
"""That of a message in a chat."""

_LOOK_AGAIN = 0.2
"""Seconds between two looks at whether another process has ended a job."""


class JobsDoor:
    """What can be done with the jobs of a folder, whatever project they are of."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def result(self, job_id: str, annotation: Any = values.UNTYPED) -> Any:
        """Wait until a job has ended; what it returned, as `annotation`.

        Raises JobFailed, JobNotFound.
        """
        ended = await self.ended(job_id)
        envelope = await self.store.unfold(ended.outcome)
        outcome = values.of_job(ended.id, ended.status, envelope)
        return values.result(outcome, annotation, f"the result of job {job_id}")

    async def ended(self, job_id: str) -> jobs.EndedJob:
        """Wait until a job has ended; how it did. Raises JobNotFound."""
        # Another process ends it, so there is no event to wait for.
        while (ended := await self.store.read(jobs.if_ended, job_id)) is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN)
        return ended

    async def send_event(
        self, job_id: str, name: str, value: Json = None, *, source: str = "api"
    ) -> None:
        """Send an event to a job, for its `wait_for(name)`, now or later.

        Raises JobNotFound, JobEnded, InputInvalid.
        """
        _check_json(value)
        topic = event.topic_of(job_id, name)
        event.check(name, value, await self.store.read(inbox.expected, topic))
        self._answered(await self.store.write(inbox.send, job_id, topic, value, source))

    async def resolve(
        self, wait_id: str, resolution: str, *, result: Json = None, reason: str = "", by: str
    ) -> None:
        """Say what became of an effect whose outcome is unknown.

        `resolution` is `happened` (with its `result`), `did_not_happen` (it is done then, with
        the same key) or `fail`. Raises WaitNotFound, AlreadyAnswered, JobEnded, InputInvalid.
        """
        if resolution not in ("happened", "did_not_happen", "fail"):
            raise InputInvalid(
                f"{resolution!r} is no resolution; say happened, did_not_happen or fail.",
                problems=["resolution"],
            )
        _check_json(result)
        if resolution == "happened":
            subject = await self.store.read(inbox.unanswered, wait_id)
            said.check(wait_id, result, subject)
        value = {"resolution": resolution, "result": result, "reason": reason}
        self._answered([await self.store.write(inbox.answer, wait_id, value, by)])

    async def confirm(self, wait_id: str, *, by: str, digest: str) -> None:
        """Let a skill call be done that waits for its user's confirmation.

        `digest` is that of the proposal which the user has seen (`subject` of what the job waits
        for): of another one, nothing is confirmed. Raises WaitNotFound, UserNotAllowed for anybody
        but the user of the chat, AlreadyAnswered, JobEnded, ProposalChanged.
        """
        decision = {"verdict": "approved", "reason": "", "digest": digest}
        self._answered([await self.store.write(inbox.decide, wait_id, decision, by)])

    async def reject(self, wait_id: str, *, by: str, digest: str, reason: str = "") -> None:
        """Let such a call not be done; the genie is told why. Raises what `confirm` raises."""
        decision = {"verdict": "rejected", "reason": reason, "digest": digest}
        self._answered([await self.store.write(inbox.decide, wait_id, decision, by)])

    async def answer_task(
        self, task_id: str, value: Json, *, by: str, note: str | None = None
    ) -> JobRef:
        """Answer a task that waits, or has failed, in the genie's place; the job that goes on.

        `value` is the answer as JSON, and is checked like the genie's. A failed task's job has
        failed too: then it is a retry of that job, with this answer. Raises TaskNotFound,
        InputInvalid, TaskNotWaiting, AlreadyAnswered, Conflict.
        """
        row = await self.store.read(rows_by_hand.get, task_id)
        given = by_hand.check(task_id, self._output_of(row), value, by=by, note=note)
        if row.status == "failed":
            job_id = new_job_id()
            self._accepting(job_id)
            await by_hand.answer_failed(self.store, task_id, given, job_id)
            self._accepted(job_id)
            return JobRef(job_id)
        goes_on = await self.store.write(by_hand.answer_waiting, task_id, given)
        self._answered(goes_on.told)
        self._cancelled(goes_on.cancelled)
        return JobRef(row.job_id)

    async def plan_answer(
        self, task_id: str, value: Json, *, by: str, note: str | None = None
    ) -> CopyPlan | None:
        """The retry that `answer_task` would make with this answer; None if the task waits.

        Raises as `answer_task` does for a failed task.
        """
        row = await self.store.read(rows_by_hand.get, task_id)
        by_hand.check(task_id, self._output_of(row), value, by=by, note=note)
        if row.status != "failed":
            return None
        return await by_hand.plan_failed(self.store, task_id)

    def _output_of(self, task: Any) -> Output | None:
        """What a task's answer must be, by its recorded JSON Schema."""
        return describe(task.output_schema)

    async def cancel(self, job_id: str) -> None:
        """Cancel a job and all below it but detached ones. Raises JobNotFound, JobEnded."""
        self._cancelled(await self.store.write(jobs.want_cancelled, job_id))

    async def go_on(self, job_id: str) -> None:
        """Let a job that needed attention run again, after its code was mended.

        One that `lampwork dev` keeps on older code goes on with the code of today.

        Raises JobNotFound, Conflict.
        """
        await self.store.write(jobs.go_on, job_id)
        self._mended(job_id)

    # --- copies ---

    async def plan_retry(self, job_id: str) -> CopyPlan:
        """What a retry would keep and do again. Raises JobNotFound, CopyRefused."""
        return await copies.plan(self.store, job_id, "retry")

    async def plan_rerun(self, job_id: str) -> CopyPlan:
        """What a rerun would do again. Raises JobNotFound, CopyRefused."""
        return await copies.plan(self.store, job_id, "rerun")

    async def plan_fork(self, job_id: str, *, at: int) -> CopyPlan:
        """What a fork would keep and do again. Raises JobNotFound, CopyRefused, InputInvalid."""
        return await copies.plan(self.store, job_id, "fork", at=at)

    async def retry(self, job_id: str) -> JobRef:
        """Do a failed or cancelled job again from the call that failed it, as a new job.

        `copies.plan` says what is kept. Raises JobNotFound, CopyRefused.
        """
        return await self.copy(await self.plan_retry(job_id))

    async def rerun(self, job_id: str) -> JobRef:
        """Do a job again from its input, as a new job. Raises JobNotFound, CopyRefused."""
        return await self.copy(await self.plan_rerun(job_id))

    async def fork(self, job_id: str, *, at: int) -> JobRef:
        """Do a job again from its call number `at`, as a new job that keeps the calls before it.

        Raises JobNotFound, CopyRefused, InputInvalid.
        """
        return await self.copy(await self.plan_fork(job_id, at=at))

    async def copy(self, plan: CopyPlan) -> JobRef:
        """Carry a plan out: what is kept is what it shows. Raises CopyRefused."""
        job_id = new_job_id()
        self._accepting(job_id)
        await copies.make(self.store, plan, job_id)
        self._accepted(job_id)
        return JobRef(job_id)

    # --- what the executing process is told ---

    def _accepting(self, job_id: str) -> None:
        """A job of which nobody has heard yet is about to be written down."""

    def _accepted(self, job_id: str) -> None:
        """A job may start."""

    def _mended(self, job_id: str) -> None:
        """A stopped job may go on."""

    def _answered(self, deliveries: Iterable[Delivery]) -> None:
        """Answers are in the inbox."""

    def _cancelled(self, job_ids: Iterable[str]) -> None:
        """Jobs are meant to be cancelled."""

    def _scheduled(self) -> None:
        """A trigger was paused, started or asked for."""


class Door(JobsDoor):
    """What can be done with a project through its database: its recipes and genies, and jobs."""

    def __init__(
        self,
        project: Project,
        store: Store,
        *,
        model_of: ModelOf | None = None,
        reading: ReadingCaps | None = None,
    ) -> None:
        super().__init__(store)
        self.project = project
        self.model_of = model_of or own_or(None)
        """The model that replies for a genie."""
        self.reading = reading or ReadingCaps()
        """The limits for files."""

    def _output_of(self, task: Any) -> Output | None:
        """By its type, with the validators that no schema tells, where the code is here."""
        try:
            return describe(read_type(task.output_type))
        except NotImportable:
            return super()._output_of(task)

    async def start(
        self, recipe: Recipe[..., Any], /, *, idempotency_key: str | None = None, **input: Any
    ) -> JobRef:
        """Accept a job; when this returns it is on disk.

        The same `idempotency_key` within 24 hours leads to the same job.
        Raises InputInvalid, ResultNotRecordable, IdempotencyConflict, NotImportable.
        """
        callable = self.project.callable_of(recipe)
        recorded = bind_input(recipe.fn, (), input)
        return await self.accept(callable, recorded, kind="api", key=idempotency_key)

    async def start_named(
        self, name: str, input: Json, *, kind: str, idempotency_key: str | None = None
    ) -> JobRef:
        """Accept a job of a recipe by name, with input from outside, as JSON.

        Raises RecipeNotFound, InputInvalid, IdempotencyConflict.
        """
        recorded = check_input(self.project.find_recipe(name).fn, input)
        return await self.accept(name, recorded, kind=kind, key=idempotency_key)

    async def run(self, recipe: Recipe[..., R], /, **input: Any) -> R:
        """Start a recipe and wait for what it returns.

        Raises JobFailed when the job did not succeed, and what `start` raises.
        """
        job = await self.start(recipe, **input)
        return await self.result(job.job_id, values.return_type(recipe.fn))

    @overload
    async def assign_task(
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: None = None,
        **terms: Unpack[Terms],
    ) -> TaskAnswer[str]: ...

    @overload
    async def assign_task(
        self, genie: Genie | str, instructions: str, *, output: type[T], **terms: Unpack[Terms]
    ) -> TaskAnswer[T]: ...

    @overload
    async def assign_task(
        self, genie: Genie | str, instructions: str, *, output: Any, **terms: Unpack[Terms]
    ) -> TaskAnswer[Any]: ...

    async def assign_task(
        self, genie: Genie | str, instructions: str, *, output: Any = None, **terms: Unpack[Terms]
    ) -> TaskAnswer[Any]:
        """Give a task to a genie, without a recipe, and wait for its answer.

        Raises GenieNotFound and what `job.assign_task` raises at once; JobFailed when the task
        ended without its answer.
        """
        job = await self.assign(genie, instructions, output=output, **terms)
        record = await self.result(job.job_id)
        return TaskAnswer.from_json(record, describe(output))

    async def assign(
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: Any = None,
        kind: str = "api",
        idempotency_key: str | None = None,
        **terms: Unpack[Terms],
    ) -> JobRef:
        """As `assign_task`, without waiting: the job that carries the task.

        The same `idempotency_key` within 24 hours leads to the same job. Raises
        IdempotencyConflict, and TaskDeadlineExceeded for a deadline that has passed.
        """
        given = Assignment.on(self.project, genie, instructions, output, terms)
        return await self._carry(given, _ASSIGNED, "assignment", kind, idempotency_key)

    async def chat(
        self, genie: Genie | str, message: str, *, user: str, **terms: Unpack[ChatTerms]
    ) -> TaskAnswer[str]:
        """Say something to a genie as one of its users, and wait for its reply.

        Without `conversation=` a new chat begins; the reply names it. The message is a task whose
        answer is text: it waits in line behind what was said before, and survives a crash. Skills
        know the user; those with `confirm=True` wait for `app.confirm`. Raises UserNotAllowed for
        another user's chat, ConversationNotFound, GenieNotEligible, GenieNotFound,
        InstructionsMissing; JobFailed when there was no reply.
        """
        job = await self.send_message(genie, message, user=user, **terms)
        return TaskAnswer.from_json(await self.result(job.job_id), None)

    async def send_message(
        self,
        genie: Genie | str,
        message: str,
        *,
        user: str,
        kind: str = "api",
        idempotency_key: str | None = None,
        **terms: Unpack[ChatTerms],
    ) -> JobRef:
        """As `chat`, without waiting: the job that carries the message."""
        given = Assignment.of_message(self.project, genie, message, user, terms)
        if given.conversation is not None:
            goes_on = conversations.may_continue, given.conversation
            await self.store.read(*goes_on, project=self.project.name, user=user)
        return await self._carry(given, _CHAT, "message", kind, idempotency_key)

    async def _carry(
        self, given: Assignment, callable: str, parameter: str, kind: str, key: str | None
    ) -> JobRef:
        """Accept the job that carries a task, or a message, once that is checked."""
        assignment = check_assignment(self.project, given)
        check_not_passed(assignment.deadline)
        if (error := assignment.not_eligible) is not None:
            raise error
        model = self.model_of(assignment.genie)
        model.check()
        check_price(assignment, model)
        if assignment.files:
            taken = await take(
                self.store,
                assignment.files,
                caps=self.reading,
                project=self.project.name,
                model=model,
                job_id=None,
            )
            assignment = replace(assignment, files=taken)
        return await self.accept(
            callable,
            {parameter: assignment.to_json()},
            kind=kind,
            key=key,
            blobs=[each for file in assignment.taken for each in file.blobs],
        )

    async def read_artifact(self, artifact: Artifact) -> bytes:
        """The content of an artifact of this project. Raises ArtifactNotFound."""
        return await self.store.read(artifacts.content, self.project.name, artifact.digest)

    async def pause_genie(self, genie: Genie | str, *, by: str, why: str = "") -> None:
        """Let a genie take no new tasks; those that it works on go on. Raises GenieNotFound."""
        name = self.project.find_genie(genie).name if isinstance(genie, str) else genie.name
        await self.store.write(pauses.pause, self.project.name, name, by, why)

    async def start_genie(self, genie: Genie | str, *, by: str) -> None:
        """Let a paused genie take tasks again; those that wait for it go on.

        Raises GenieNotFound.
        """
        name = self.project.find_genie(genie).name if isinstance(genie, str) else genie.name
        self._answered(await self.store.write(pauses.start, self.project.name, name, by))

    async def pause_trigger(
        self, recipe: Recipe[..., Any] | str, *, trigger: str | None = None, by: str, why: str = ""
    ) -> None:
        """Let a recipe's trigger, by name if it has several, fire no more until it is started.

        Raises RecipeNotFound, TriggerNotFound.
        """
        await self._order(triggers.pause, recipe, trigger, by, why)

    async def start_trigger(
        self, recipe: Recipe[..., Any] | str, *, trigger: str | None = None, by: str, why: str = ""
    ) -> None:
        """Let a trigger fire again; a Cron catches up on the pause as it says.

        Raises RecipeNotFound, TriggerNotFound.
        """
        await self._order(triggers.start, recipe, trigger, by, why)

    async def ask_to_fire(
        self, recipe: Recipe[..., Any] | str, *, trigger: str | None = None, by: str
    ) -> None:
        """Let the executing process fire a trigger as soon as there is one, paused or not.

        Raises RecipeNotFound, TriggerNotFound.
        """
        await self._order(triggers.ask, recipe, trigger, by, "")

    async def _order(
        self,
        carry_out: Callable[[Any, str, triggers.Defined, triggers.Order], None],
        recipe: Recipe[..., Any] | str,
        trigger: str | None,
        by: str,
        why: str,
    ) -> None:
        meant = self.project.find_recipe(recipe) if isinstance(recipe, str) else recipe
        kept = as_kept(meant, find_trigger(meant, trigger))
        order = triggers.Order(by, clock.now(), why)
        await self.store.write(carry_out, self.project.name, kept, order)
        self._scheduled()

    async def accept(
        self,
        callable: str,
        input: Json,
        *,
        kind: str,
        key: str | None = None,
        blobs: Sequence[str] = (),
    ) -> JobRef:
        """Write a new job down; `kind` says what started it, `blobs` what its input names."""
        job_id = new_job_id()
        new = jobs.NewJob(
            id=job_id,
            project=self.project.name,
            callable=callable,
            version=self.project.version,
            input=input,
            trigger={"kind": kind},
            root_id=job_id,
            blobs=blobs,
        )
        digest = hashlib.sha256(json.dumps([callable, input], sort_keys=True).encode()).hexdigest()
        if key is None:
            self._accepting(job_id)
        accepted = await self.store.write(jobs.accept, new, key, digest)
        if accepted == job_id:
            self._accepted(job_id)
        return JobRef(accepted)


def _check_json(value: Any) -> None:
    values.encode(value, values.UNTYPED, "the value")
