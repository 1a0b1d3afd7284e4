"""The handle that a recipe gets: every durable thing it can do is a call of it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from typing_extensions import TypeForm, Unpack

from lampwork import clock, values
from lampwork.errors import InputInvalid, JobFailed, StoreUnavailable
from lampwork.files.artifact import Artifact
from lampwork.genies.called import as_step, require_recipe
from lampwork.genies.output import identity
from lampwork.recipe import Recipe, bind_input, function_of, takes_job
from lampwork.runs import event
from lampwork.runs.call import Call
from lampwork.runs.endpoint import Endpoints
from lampwork.runs.gather import JobCall, MapCall, OnError, SideBySide
from lampwork.runs.step import Options, Retry, Step, name_of, step_key
from lampwork.runs.wait import Wait
from lampwork.runs.world import World
from lampwork.store.jobs import jobs
from lampwork.store.jobs.calls import Beginning
from lampwork.store.tasks import artifacts
from lampwork.tasks.answer import TaskAnswer
from lampwork.tasks.assignment import Assignment, Terms, check_assignment, check_lineage
from lampwork.tasks.work import work
from lampwork.triggers.trigger import Trigger
from lampwork.types import CallKind, Effect, JobRef, Json, child_id, wait_id

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.runs.flow import Flow
    from lampwork.runs.run import Run

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

Working = Callable[["Run", Assignment, Beginning], Awaitable[values.Recorded]]
"""What does a task that a call of a job assigns."""

_log = logging.getLogger("lampwork.recipe")


class Job(SideBySide, Endpoints, World):
    """One execution of a recipe.

    Calls are numbered in the order in which the recipe makes them, and what they give is recorded;
    after a crash or a pause the recipe runs again from its beginning and each finished call gives
    what it gave before. So make every call that reads the world (time, chance, services) through
    the job, and make calls only in the recipe's own flow.
    """

    def __init__(self, flow: Flow, options: Options | None = None) -> None:
        self._flow = flow
        self._options = options

    @property
    def id(self) -> str:
        """The job's id."""
        return self._flow.job_id

    @property
    def trigger(self) -> Trigger:
        """What started it."""
        return Trigger.of(self._flow.row)

    def options(
        self,
        *,
        retry: Retry | None = None,
        timeout: float | None = None,
        effect: Effect | None = None,
        name: str | None = None,
        key: str | None = None,
    ) -> Job:
        """The same job, for one `step` with options.

        >>> grams = await job.options(timeout=5, retry=Retry(attempts=3)).step(weigh, "Emma")

        `timeout` in seconds and per attempt; `effect="at_most_once"` for what must not happen
        twice, else `idempotent`, or what a skill says of itself; `name` on record instead of the
        function's; `key` instead of the step's own idempotency key. Raises InputInvalid for
        options that contradict.
        """
        options = Options(retry=retry, timeout=timeout, effect=effect, name=name, key=key)
        return Job(self._flow, options.checked())

    # --- work ---

    @overload
    def step(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> JobCall[T]: ...

    @overload
    def step(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobCall[T]: ...

    def step(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> JobCall[Any]:
        """Call a function once and record what it returns, or raises.

        >>> await job.step(weigh, "Emma", wrapped=True)
        280

        A plain function runs in a thread; a skill that takes no SkillCall has the effect, timeout
        and retry that it says. Without a return annotation the result must be plain JSON; with
        one, it is read back as that type. Raises StepFailed, ResultNotRecordable, InputInvalid,
        UnknownCall, CallInterrupted.
        """
        fn, options = as_step(fn, self._options)
        name = options.name or name_of(fn)
        step = Step(fn, args, kwargs, options, name)
        return self._call(
            "step",
            name,
            step.do,
            annotation=values.return_type(fn),
            opens=options.effect == "at_most_once",
        )

    @overload
    def assign_task(
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: None = None,
        **terms: Unpack[Terms],
    ) -> JobCall[TaskAnswer[str]]: ...

    @overload
    def assign_task(
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: TypeForm[T],
        **terms: Unpack[Terms],
    ) -> JobCall[TaskAnswer[T]]: ...

    @overload
    def assign_task(
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: Mapping[str, Any],
        **terms: Unpack[Terms],
    ) -> JobCall[TaskAnswer[Any]]: ...

    def assign_task(
        self,
        genie: Genie | str,
        instructions: str,
        *,
        output: Any = None,
        **terms: Unpack[Terms],
    ) -> JobCall[TaskAnswer[Any]]:
        """Give a task to a genie, by itself or by name, and wait for its answer.

        >>> key = {"order_id": "A-1017"}
        >>> task = await job.assign_task(clerk, "Decide.", metadata=key, output=Verdict)
        >>> task.output
        Verdict(status='refund')

        `output` is the type of the answer: a pydantic model, dataclass, TypedDict or JSON Schema;
        without it the answer is text. For all else that can be said see `Terms`.

        Raises InstructionsMissing, MetadataUnknown, MetadataInvalid, GenieNotInProject,
        DelegationCycle, DelegationTooDeep, ModelUnknown, ModelKeyMissing, OutputTypeInvalid,
        TooManyFiles at once; when awaited GenieNotEligible, GenieInactive, ConversationNotFound,
        ConversationBusy, FileRejected, BudgetNotEnforceable, and what ends a task:
        TaskNotCompleted, OutputInvalid, SkillFailing, SkillFailed, MetadataLeaked,
        TurnLimitReached, BudgetExceeded, TaskDeadlineExceeded, ModelUnavailable, PlaybookFailed,
        ContextTooLong.
        """
        return self._assign(Assignment.on(self._flow.project, genie, instructions, output, terms))

    def _assign(
        self, given: Assignment, *, as_recorded: bool = False, working: Working = work
    ) -> JobCall[Any]:
        assignment = check_assignment(self._flow.project, given)
        check_lineage(assignment, self._flow.lineage)
        self._flow.require_model(assignment.genie)
        takes = None if assignment.output is None else identity(assignment.output)
        name = assignment.genie.name
        digest = _digest(assignment.instructions, assignment.conversation, takes)

        async def body(run: Run, number: int) -> values.Recorded:
            beginning = Beginning(run.leading, number, "task", name, digest)
            return await working(run, assignment, beginning)

        def read(record: dict[str, Json]) -> Any:
            answer = TaskAnswer.from_json(record, assignment.output)
            return record if as_recorded else answer

        return self._call(
            "task",
            name,
            body,
            read=read,
            digest=digest,
            opens=bool(assignment.files),  # which are read first; else with the task's own row
            line=assignment.conversation,
        )

    async def read_artifact(self, artifact: Artifact) -> bytes:
        """The content of an artifact of this project, for a step to work on.

        It is the same on every replay, by its digest, so nothing is recorded and the call has no
        number. Raises ArtifactNotFound.
        """
        flow = self._flow
        await flow.alive()
        try:
            found = await flow.store.read(artifacts.content, flow.project.name, artifact.digest)
        except StoreUnavailable as error:
            raise flow.unavailable(error) from error
        flow.check()
        return found

    def call(self, recipe: Recipe[P, T], *args: P.args, **kwargs: P.kwargs) -> JobCall[T]:
        """Run another recipe as a child job and wait for what it returns. Raises JobFailed.

        >>> verdict = await job.call(decide, "A-1017")
        """
        require_recipe(recipe, "job.call")
        callable, input = self._flow.project.callable_of(recipe), _input(recipe, args, kwargs)

        async def body(run: Run, number: int) -> values.Outcome:
            return await run.child(
                job_id=child_id(self.id, number), call=number, callable=callable, input=input
            )

        return self._call(
            "call", callable, body, annotation=values.return_type(recipe.fn), opens=True
        )

    def start(self, recipe: Recipe[P, Any], *args: P.args, **kwargs: P.kwargs) -> JobCall[JobRef]:
        """Start another recipe and go on without waiting for it; its job's id."""
        require_recipe(recipe, "job.start")
        callable, input = self._flow.project.callable_of(recipe), _input(recipe, args, kwargs)

        async def body(run: Run, number: int) -> values.Outcome:
            job_id = child_id(self.id, number)
            child = run.new_child(
                job_id, call=number, callable=callable, input=input, detached=True
            )
            await run.start_children([child])
            return values.Value(json.dumps(job_id))

        return self._call("start", callable, body, read=JobRef, opens=True)

    @overload
    def map(
        self,
        fn: Callable[Concatenate[Job, Item, ...], Awaitable[T]],
        items: Iterable[Item],
        *,
        limit: int | None = None,
        on_error: Literal["raise"] = "raise",
    ) -> JobCall[list[T]]: ...

    @overload
    def map(
        self,
        fn: Callable[Concatenate[Job, Item, ...], Awaitable[T]],
        items: Iterable[Item],
        *,
        limit: int | None = None,
        on_error: Literal["collect"],
    ) -> JobCall[list[T | JobFailed]]: ...

    def map(
        self,
        fn: Callable[Concatenate[Job, Item, ...], Awaitable[Any]],
        items: Iterable[Item],
        *,
        limit: int | None = None,
        on_error: OnError = "raise",
    ) -> JobCall[Any]:
        """Run `fn(job, item)` for each item as a child job of its own; the results in order.

        >>> await job.map(decide, ["A-1017", "A-1018"], limit=4)
        [Verdict(status='refund'), Verdict(status='refund')]

        `limit` counts items that are not finished, waiting ones included. All settle; with
        `on_error="collect"` errors are then returned in place. Raises BranchesFailed without it,
        and NotImportable for a function without a name of its own, such as a lambda.
        """
        if limit is not None and limit < 1:
            raise InputInvalid(f"map(limit={limit}) would never start an item; give 1 or more.")
        callable = self._flow.project.callable_of(fn)
        if not takes_job(function_of(fn)):
            raise InputInvalid(
                f"map calls {callable} as (job, item): annotate its first parameter as `job: Job`."
            )
        inputs = [_input(fn, (item,), {}) for item in items]

        async def body(run: Run, number: int) -> values.Outcome:
            await self._map(run, number, callable, inputs, limit)
            found = await run.store.read(jobs.outcomes, self.id, number)
            outcomes = [values.of_job(*each) for each in found]
            return values.Value(f"[{','.join(map(values.write, outcomes))}]")

        annotation = values.return_type(fn)

        def read(record: list[dict[str, Json]]) -> list[Any]:
            return [values.settled(each, annotation, callable) for each in record]

        call = self._new_call(
            "map", callable, body, read=read, digest=_digest(len(inputs)), opens=True
        )
        return MapCall[Any](self._flow, call, on_error)

    async def _map(
        self, run: Run, number: int, callable: str, inputs: Sequence[Json], limit: int | None
    ) -> None:
        """Start the items and wait until all have ended."""
        if not inputs:
            return
        children = [
            run.new_child(
                child_id(self.id, number, position),
                call=number,
                callable=callable,
                input=input,
                position=position,
                held=limit is not None and position >= limit,
            )
            for position, input in enumerate(inputs)
        ]
        await run.start_children(children)
        await run.until(
            Wait(
                id=wait_id(self.id, number),
                job_id=self.id,
                call=number,
                kind="map",
                subject={"callable": callable, "items": len(inputs)},
            )
        )

    # --- waiting ---

    def sleep(self, seconds: float | timedelta) -> JobCall[None]:
        """Wait for a time, over restarts too."""
        span = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        return self._sleep(f"{span:g} s", lambda: clock.now() + span)

    def sleep_until(self, moment: datetime) -> JobCall[None]:
        """Wait until a moment; one without a time zone is in UTC."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return self._sleep(f"until {aware.isoformat()}", aware.timestamp)

    def _sleep(self, name: str, due_at: Callable[[], float]) -> JobCall[None]:
        async def body(run: Run, number: int) -> values.Outcome:
            await run.until(
                Wait(
                    id=wait_id(self.id, number),
                    job_id=self.id,
                    call=number,
                    kind="timer",
                    subject={"name": name},
                    due_at=due_at(),
                )
            )
            return values.Value("null")

        return self._call("sleep", name, body, opens=True)

    @overload
    def wait_for(self, name: str, *, timeout: float | None = None) -> JobCall[Any]: ...

    @overload
    def wait_for(
        self, name: str, type: TypeForm[T], *, timeout: float | None = None
    ) -> JobCall[T]: ...

    def wait_for(self, name: str, type: Any = Any, *, timeout: float | None = None) -> JobCall[Any]:
        """Wait for an event that someone sends to this job by name; its value as `type`.

        >>> cents = await job.wait_for("paid", int, timeout=3600)

        Events that came before are kept, and are taken in order; who sends one that is not of
        the type is told so. Raises WaitTimedOut after `timeout` seconds.
        """

        async def body(run: Run, number: int) -> values.Outcome:
            return await event.receive(run, number, name, type, timeout)

        line = event.topic_of(self.id, name)
        return self._call("wait_for", name, body, annotation=type, opens=True, line=line)

    # --- its record ---

    def log(self, message: str) -> None:
        """Keep a line on the job's record; silent on a replay."""
        self._flow.require_main("made")
        if self._flow.log(message):
            _log.info("job %s: %s", self.id, message, extra={"event": "job.log", "job_id": self.id})

    def step_key(self) -> str:
        """Inside a step's function: the step's idempotency key, stable over crashes and retries."""
        key = step_key.get()
        if key is None:
            raise InputInvalid("step_key() is for the function of a step, while it executes.")
        return key

    @overload
    def on_end(self, fn: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None: ...

    @overload
    def on_end(
        self, fn: Callable[Concatenate[Job, P], Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> None: ...

    def on_end(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Run a function, as a job of its own, when this one has ended, however it ended.

        Raises NotImportable for a function without a name of its own.
        """
        self._flow.require_main("made")
        self._flow.on_end(self._flow.project.callable_of(fn), _input(fn, args, kwargs))

    # --- how calls are made ---

    def _call(self, kind: CallKind, name: str, body: Any, **how: Any) -> JobCall[Any]:
        return JobCall(self._flow, self._new_call(kind, name, body, **how))

    def _new_call(
        self,
        kind: CallKind,
        name: str,
        body: Callable[[Run, int], Awaitable[values.Outcome | values.Recorded]],
        *,
        annotation: Any = values.UNTYPED,
        read: Callable[[Any], Any] | None = None,
        digest: str = "",
        opens: bool = False,
        line: str | None = None,
    ) -> Call[Any]:
        if self._options is not None and kind != "step":
            raise InputInvalid(f"options are for job.step; {kind} takes none of them.")
        return Call(
            number=self._flow.reserve(),
            kind=kind,
            name=name,
            body=body,
            annotation=annotation,
            read=read,
            digest=digest,
            opens=opens,
            line=line,
        )


async def assigned(job: Job, assignment: Json) -> Json:
    """The recipe of a task that is assigned from outside any recipe: one call, its answer."""
    flow = job._flow  # pyright: ignore[reportPrivateUsage]  # our own recipe
    given = Assignment.from_json(flow.project, assignment, accepted_at=flow.row.created_at)
    # As its call has it on record, so that a long answer is kept once.
    return await job._assign(given, as_recorded=True)  # pyright: ignore[reportPrivateUsage]


async def chat(job: Job, message: Json) -> Json:
    """The recipe of a message in a chat: one call, its answer is the reply."""
    return await assigned(job, message)


def _input(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Json:
    return bind_input(function_of(fn), args, kwargs)


def _digest(*identity: Any) -> str:
    text = json.dumps(identity, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
