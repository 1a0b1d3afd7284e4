"""The door to a project's jobs from outside: start, send, answer, cancel, read.

It needs only the database, so any process may use it; the process that executes hears of what was
written. `app.App` is the door of that process itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from typing_extensions import TypeForm, Unpack

from lampwork import clock, failpoint, values
from lampwork.errors import NotImportable, QueueFull
from lampwork.files.artifact import Artifact
from lampwork.files.taking import take
from lampwork.genies.called import require_recipe
from lampwork.genies.cast import Cast
from lampwork.genies.genie import Genie
from lampwork.genies.output import Output, describe
from lampwork.genies.written_type import read_type
from lampwork.jobs_door import JobsDoor
from lampwork.recipe import Recipe, bind_input, check_input
from lampwork.runs.deadline import check_not_passed
from lampwork.runs.step import call_function
from lampwork.settings import ReadingCaps, Settings
from lampwork.store.jobs import new_jobs, requests
from lampwork.store.people.audit import Act, recorded
from lampwork.store.store import Store
from lampwork.store.tasks import artifacts, conversations, pauses, uploads
from lampwork.store.triggers import triggers
from lampwork.tasks.answer import TaskAnswer
from lampwork.tasks.assignment import (
    Assignment,
    ChatTerms,
    Terms,
    check_assignment,
    check_part,
    check_price,
)
from lampwork.triggers.receiving import Firing, Receiving
from lampwork.triggers.trigger import as_kept, find_timed, find_trigger
from lampwork.types import CARRIERS, JobRef, Json, new_job_id

if TYPE_CHECKING:
    from lampwork.models.ask import LanguageModel
    from lampwork.project import Project

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_ASSIGNED, _CHAT = CARRIERS


class Door(JobsDoor):
    """What can be done with a project through its database: its recipes and genies, and jobs."""

    def __init__(
        self,
        project: Project,
        store: Store,
        *,
        cast: Cast | None = None,
        reading: ReadingCaps | None = None,
    ) -> None:
        super().__init__(store)
        self.project = project
        self.cast: Cast = cast or Cast()
        """Who plays which genie."""
        self.reading: ReadingCaps = reading or ReadingCaps()
        """The limits for files."""
        self._receiving = Receiving(project, store)

    @staticmethod
    @asynccontextmanager
    async def opened(project: Project, settings: Settings) -> AsyncGenerator[Door]:
        """The door of a process that executes nothing, until the block is left.

        Raises FolderNotWritable, DatabaseTooNew, StoreUnavailable.
        """
        store = await asyncio.to_thread(Store, settings.place)
        try:
            yield Door(project, store, cast=Cast(settings.model), reading=settings.reading)
        finally:
            await asyncio.to_thread(store.close)

    def _output_of(self, task: Any) -> Output | None:
        """By its type, with the validators that no schema tells, where the code is here."""
        try:
            return describe(read_type(task.output_type))
        except NotImportable:
            return super()._output_of(task)

    @overload
    async def start(
        self, recipe: Recipe[P, Any], /, *args: P.args, **input: P.kwargs
    ) -> JobRef: ...

    @overload
    async def start(
        self, recipe: Recipe[..., Any], /, *args: Any, idempotency_key: str | None, **input: Any
    ) -> JobRef: ...

    async def start(
        self,
        recipe: Recipe[Any, Any],
        /,
        *args: Any,
        idempotency_key: str | None = None,
        **input: Any,
    ) -> JobRef:
        """Accept a job; when this returns it is on disk.

        >>> job = await app.start(decide, order_id="A-1017", idempotency_key="A-1017")

        The same `idempotency_key` within 24 hours leads to the same job.
        Raises InputInvalid, ResultNotRecordable, IdempotencyConflict, NotImportable.
        """
        if isinstance(recipe, str):
            self.project.find_recipe(recipe)
        require_recipe(recipe, "run")
        callable = self.project.callable_of(recipe)
        recorded = bind_input(recipe.fn, args, input)
        return await self.accept(callable, recorded, kind="api", key=idempotency_key)

    async def start_named(
        self,
        name: str,
        input: Json,
        *,
        kind: str,
        idempotency_key: str | None = None,
        files: Sequence[str] = (),
    ) -> JobRef:
        """Accept a job of a recipe by name, with input from outside, as JSON.

        It keeps the `files` of the project that the input names, by their digests. Raises
        RecipeNotFound, InputInvalid, IdempotencyConflict, ArtifactNotFound.
        """
        recorded = await call_function(check_input, self.project.find_recipe(name).fn, input)
        if files:
            await self.store.read(artifacts.require, self.project.name, files)
        return await self.accept(name, recorded, kind=kind, key=idempotency_key, blobs=files)

    async def run(self, recipe: Recipe[P, R], /, *args: P.args, **input: P.kwargs) -> R:
        """Start a recipe and wait for what it returns.

        >>> await app.run(decide, order_id="A-1017")
        Verdict(status='refund')

        Raises JobFailed when the job did not succeed, and what `start` raises.
        """
        job = await self.start(recipe, *args, **input)
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
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: TypeForm[T],
        **terms: Unpack[Terms],
    ) -> TaskAnswer[T]: ...

    @overload
    async def assign_task(
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: Mapping[str, Any],
        **terms: Unpack[Terms],
    ) -> TaskAnswer[Any]: ...

    async def assign_task(
        self, genie: Genie | str, instructions: str, *, output: Any = None, **terms: Unpack[Terms]
    ) -> TaskAnswer[Any]:
        """Give a task to a genie, without a recipe, and wait for its answer.

        >>> key = {"order_id": "A-1017"}
        >>> task = await app.assign_task(clerk, "Decide.", metadata=key, output=Verdict)
        >>> task.output.status
        'refund'

        Raises what `assign` raises; JobFailed when the task ended without its answer.
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

        The same `idempotency_key` within 24 hours leads to the same job. Raises GenieNotFound,
        what `job.assign_task` raises at once, GenieNotEligible, FileRejected,
        BudgetNotEnforceable, IdempotencyConflict, and TaskDeadlineExceeded for a deadline that has
        passed.
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
        given = await self._message(genie, message, user, terms)
        return await self._carry(given, _CHAT, "message", kind, idempotency_key)

    async def check_message(
        self, genie: Genie | str, message: str, *, user: str, **terms: Unpack[ChatTerms]
    ) -> None:
        """Raise what `send_message` would raise; nothing is sent."""
        self._checked(await self._message(genie, message, user, terms))

    async def _message(
        self, genie: Genie | str, message: str, user: str, terms: ChatTerms
    ) -> Assignment:
        given = Assignment.of_message(self.project, genie, message, user, terms)
        if given.conversation is not None:
            goes_on = conversations.may_continue, given.conversation
            await self.store.read(*goes_on, project=self.project.name, user=user)
        return given

    def _checked(self, given: Assignment) -> tuple[Assignment, LanguageModel]:
        """What can be carried out, in its recorded form, and the model that is asked."""
        assignment = check_assignment(self.project, given)
        check_part(assignment)
        check_not_passed(assignment.deadline)
        if (error := assignment.not_eligible) is not None:
            raise error
        model = self.cast.model_of(assignment.genie)
        model.check()
        check_price(assignment, model)
        return assignment, model

    async def _carry(
        self, given: Assignment, callable: str, parameter: str, kind: str, key: str | None
    ) -> JobRef:
        """Accept the job that carries a task, or a message, once that is checked."""
        assignment, model = self._checked(given)
        if assignment.files:
            taken = await take(
                self.store,
                assignment.files,
                caps=self.reading,
                project=self.project.name,
                hosts=self.project.allowed_hosts,
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

    def expect(self, path: str, *, address: str | None = None, size: int | None = None) -> None:
        """Raise TriggerNotFound or TooManyDeliveries, before a delivery, of that size, is read."""
        self._receiving.expect(path, address=address, size=size)

    async def receive(
        self, path: str, headers: Mapping[str, str], body: bytes, *, address: str | None = None
    ) -> Firing:
        """Take a delivery to the webhook of a path: its headers, and its body as it came.

        When this returns, its job is on disk; the same delivery again leads to the same job. What
        is refused is on record as well (`lampwork trigger RECIPE`). Raises TriggerNotFound,
        DeliveryRefused, InputInvalid, TriggerPaused, QueueFull, TooManyDeliveries.
        """
        given = {"address": address, "executor": self.executor_id}
        return self._started(await self._receiving.deliver(path, headers, body, **given))

    async def call_endpoint(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Json = None,
        address: str | None = None,
        idempotency_key: str | None = None,
    ) -> Firing:
        """Take a call of an endpoint; `wait` of the result is how long an answer waits for its job.

        Raises TriggerNotFound, InputInvalid, TriggerPaused, QueueFull, IdempotencyConflict.
        """
        firing = await self._receiving.call(
            method,
            path,
            query=query,
            headers=headers,
            body=body,
            address=address,
            executor=self.executor_id,
            key=idempotency_key,
        )
        return self._started(firing)

    def _started(self, firing: Firing) -> Firing:
        if firing.is_new:
            self._accepted(firing.job_id)
        return firing

    async def upload(
        self, name: str, content: bytes, media_type: str = "application/octet-stream"
    ) -> Artifact:
        """Keep a file, for `files=[…]` of tasks and for recipes that take an Artifact.

        It is gone after a day, but from what it was given to. Raises ArtifactInvalid.
        """
        file = await asyncio.to_thread(Artifact.of, name, content, media_type)
        act = Act("file.upload", file.digest, self.project.name, {"name": file.name})
        keeping = recorded(act, uploads.put)
        await self.store.write(keeping, self.project.name, file.digest, content)
        return file

    async def read_artifact(self, artifact: Artifact) -> bytes:
        """The content of an artifact of this project. Raises ArtifactNotFound."""
        return await self.store.read(artifacts.content, self.project.name, artifact.digest)

    async def pause_genie(self, genie: Genie | str, *, by: str, why: str = "") -> None:
        """Let a genie take no new tasks; those that it works on go on. Raises GenieNotFound."""
        name = self.project.find_genie(genie).name if isinstance(genie, str) else genie.name
        act = Act("genie.pause", name, self.project.name)
        await self.store.write(recorded(act, pauses.pause), self.project.name, name, by, why)

    async def start_genie(self, genie: Genie | str, *, by: str) -> None:
        """Let a paused genie take tasks again; those that wait for it go on.

        Raises GenieNotFound.
        """
        name = self.project.find_genie(genie).name if isinstance(genie, str) else genie.name
        starting = recorded(Act("genie.start", name, self.project.name), pauses.start)
        self._answered(await self.store.write(starting, self.project.name, name, by))

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
        find = find_timed if carry_out is triggers.ask else find_trigger
        kept = as_kept(meant, find(meant, trigger))
        order = triggers.Order(by, clock.now(), why)
        verb = "fire" if carry_out is triggers.ask else carry_out.__name__
        act = Act(f"trigger.{verb}", meant.name, self.project.name, {"trigger": kept.identity})
        await self.store.write(recorded(act, carry_out), self.project.name, kept, order)
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
        new = new_jobs.NewJob(
            id=job_id,
            project=self.project.name,
            callable=callable,
            version=self.project.version,
            input=input,
            trigger={"kind": kind},
            root_id=job_id,
            blobs=blobs,
            executor=self.executor_id,
        )
        digest = hashlib.sha256(json.dumps([callable, input], sort_keys=True).encode()).hexdigest()
        if key is None:
            self._accepting(job_id)
        most = self.project.max_queued
        try:
            accepting = recorded(
                Act("job.start", None, self.project.name, {"recipe": callable}), requests.accept
            )
            accepted = await self.store.write(accepting, new, key, digest, most)
        except QueueFull:
            self._refused(job_id)
            raise
        failpoint.hit("job.accepted")
        if accepted == job_id:
            self._accepted(job_id)
        return JobRef(accepted)
