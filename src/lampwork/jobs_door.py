"""The door to the jobs of a folder from outside: send, answer, cancel, copy.

It needs only the database, so any process may use it; the process that executes hears of what was
written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, overload

from typing_extensions import TypeForm

from lampwork import by_hand, copies, values
from lampwork.errors import InputInvalid
from lampwork.genies.output import Output, describe
from lampwork.orchestrations_door import OrchestrationsDoor, check_json
from lampwork.runs import event
from lampwork.runs import resolution as said
from lampwork.store.jobs import cancelled, inbox, jobs, wanted
from lampwork.store.people.audit import Act, nothing, recorded
from lampwork.store.tasks import by_hand as rows_by_hand
from lampwork.store.upkeep.prune import Amount
from lampwork.types import JobRef, Json, new_job_id
from lampwork.upkeep import erasing
from lampwork.upkeep.erasing import Erasure
from lampwork.views import CopyPlan

T = TypeVar("T")

_LOOK_AGAIN = 0.2
"""Seconds between two looks at whether another process has ended a job."""


class JobsDoor(OrchestrationsDoor):
    """What can be done with the jobs of a folder, whatever project they are of."""

    @overload
    async def result(self, job_id: str) -> Any: ...

    @overload
    async def result(self, job_id: str, annotation: TypeForm[T]) -> T: ...

    async def result(self, job_id: str, annotation: Any = values.UNTYPED) -> Any:
        """Wait until a job has ended; what it returned, as `annotation`.

        >>> await app.result(job, Verdict)
        Verdict(status='refund')

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
        check_json(value)
        topic = event.topic_of(job_id, name)
        expected = await self.store.read(inbox.expected, topic)
        await asyncio.to_thread(event.check, name, value, expected)  # much of it takes its time
        sending = recorded(Act("event.send", job_id, details={"event": name}), inbox.send)
        self._answered(await self.store.write(sending, job_id, topic, value, source))

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
        check_json([result, reason, by])
        if resolution != "happened" and result is not None:
            raise InputInvalid(
                f"A result belongs to what happened, and you say {resolution}: say happened with "
                f"it, or {resolution} without a result. Nothing was changed.",
                problems=["result"],
            )
        if resolution == "happened":
            subject = await self.store.read(inbox.unanswered, wait_id)
            said.check(wait_id, result, subject)
        value = {"resolution": resolution, "result": result, "reason": reason}
        act = Act("effect.resolve", wait_id, details={"resolution": resolution})
        self._answered([await self.store.write(recorded(act, inbox.answer), wait_id, value, by)])

    async def confirm(self, wait_id: str, *, by: str, digest: str) -> None:
        """Let a skill call be done that waits for its user's confirmation.

        `digest` is that of the proposal which the user has seen (`subject` of what the job waits
        for): of another one, nothing is confirmed. Raises WaitNotFound, UserNotAllowed for anybody
        but the user of the chat, AlreadyAnswered, JobEnded, ProposalChanged.
        """
        decision = {"verdict": "approved", "reason": "", "digest": digest}
        deciding = recorded(Act("proposal.confirm", wait_id), inbox.decide)
        self._answered([await self.store.write(deciding, wait_id, decision, by)])

    async def reject(self, wait_id: str, *, by: str, digest: str, reason: str = "") -> None:
        """Let such a call not be done; the genie is told why. Raises what `confirm` raises."""
        check_json(reason)
        decision = {"verdict": "rejected", "reason": reason, "digest": digest}
        deciding = recorded(Act("proposal.reject", wait_id), inbox.decide)
        self._answered([await self.store.write(deciding, wait_id, decision, by)])

    async def answer_task(
        self, task_id: str, value: Json, *, by: str, note: str | None = None
    ) -> JobRef:
        """Answer a task that waits, or has failed, in the genie's place; the job that goes on.

        `value` is the answer as JSON, and is checked like the genie's. A failed task's job has
        failed too: then it is a retry of that job, with this answer. Raises TaskNotFound,
        InputInvalid, TaskNotWaiting, AlreadyAnswered, Conflict.
        """
        check_json([value, by, note])
        row = await self.store.read(rows_by_hand.get, task_id)
        given = by_hand.check(task_id, self._output_of(row), value, by=by, note=note)
        if row.status == "failed":
            job_id = new_job_id()
            self._accepting(job_id)
            await by_hand.answer_failed(self.store, task_id, given, job_id)
            self._copied(job_id)
            return JobRef(job_id)
        answering = recorded(Act("task.answer", task_id), by_hand.answer_waiting)
        goes_on = await self.store.write(answering, task_id, given)
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
        cancelling = recorded(Act("job.cancel", job_id), cancelled.want_cancelled)
        self._cancelled(await self.store.write(cancelling, job_id))

    async def go_on(self, job_id: str) -> None:
        """Let a job that needed attention run again, after its code was mended.

        One that `lampwork dev` keeps on older code goes on with the code of today.

        Raises JobNotFound, Conflict.
        """
        await self.store.write(recorded(Act("job.go_on", job_id), wanted.go_on), job_id)
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
        self._copied(job_id)
        return JobRef(job_id)

    # --- erasing a person ---

    async def plan_erasure(
        self, *, user: str | None = None, metadata: Mapping[str, Json] | None = None
    ) -> Erasure:
        """What there is of a person, as `erase` would find it. Raises InputInvalid."""
        return await erasing.plan(self.store, erasing.person(user, metadata))

    async def erase(
        self,
        *,
        user: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        cancel: bool = False,
    ) -> Amount:
        """Erase the chats of a user, and all work whose metadata have one of these values.

        >>> await app.erase(user="ann", metadata={"email": "ann@example.org"})

        Of jobs and tasks a tombstone stays, with times, status and spending. The space of it is
        free, and given back to the disk by `lampwork prune` where no worker executes. Work that has
        not ended is cancelled with `cancel=True`, else refused. Raises ErasureRefused,
        InputInvalid.
        """
        who = erasing.person(user, metadata)
        gone = await erasing.carry_out(self.store, who, cancel=cancel, tell=self._cancelled)
        # Without who it was, and at the end: an erasure that broke off is typed again.
        await self.store.write(recorded(Act("person.erase"), nothing))
        return gone

    # --- what the executing process is told ---

    def _accepting(self, job_id: str) -> None:
        """A job of which nobody has heard yet is about to be written down."""

    def _refused(self, job_id: str) -> None:
        """It was not written down."""

    @property
    def executor_id(self) -> str | None:
        """In whose charge the jobs are that are accepted here; None: whoever takes them."""
        return None

    def _accepted(self, job_id: str) -> None:
        """A job in our charge may start."""

    def _copied(self, job_id: str) -> None:
        """A copy of a job may start."""

    def _mended(self, job_id: str) -> None:
        """A stopped job may go on."""

    def _cancelled(self, job_ids: Iterable[str]) -> None:
        """Jobs are meant to be cancelled."""

    def _scheduled(self) -> None:
        """A trigger was paused, started or asked for."""
