"""One run of one job in this process: what it has recorded, what it waits for, and its end.

A job may be run many times: after a crash, after it was parked, by another process. Only one run
owns the job; all others must find out before they do anything, and must never be mistaken for it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from lampwork import clock, failpoint, values
from lampwork.errors import StoreUnavailable
from lampwork.runs.attention import need_approval, need_person, need_user
from lampwork.runs.deadline import OutOfTime
from lampwork.runs.flow import EndReason, Flow, RunEnded
from lampwork.runs.wait import Answer, Wait
from lampwork.store.jobs import calls, endings, inbox, jobs, new_jobs
from lampwork.store.jobs.calls import Beginning, Leading
from lampwork.store.processes import executors
from lampwork.store.tasks.conversations import StaleEpoch
from lampwork.types import Json, child_wait_id, task_id

if TYPE_CHECKING:
    from lampwork.genies.cast import Cast
    from lampwork.genies.genie import Genie
    from lampwork.project import Project
    from lampwork.runs.call import Call
    from lampwork.store.store import Store
    from lampwork.store.upkeep.restorations import Restoration
    from lampwork.tasks.place import Place
    from lampwork.worker import Worker

_log = logging.getLogger("lampwork.job")

_NOTHING = nullcontext()


def reraise_if_cancelled(error: BaseException) -> None:
    """Raise a cancellation that is meant for us, not one that a user's function made up."""
    here = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and here is not None and here.cancelling():
        raise error


in_hand: contextvars.ContextVar[Run | None] = contextvars.ContextVar("in_hand", default=None)
"""The run whose code executes here."""


class Run(Flow):
    """The state of one run. Lives on the jobs' event loop."""

    def __init__(self, worker: Worker, begun: jobs.Begun) -> None:
        super().__init__(begun)
        self.worker = worker
        self.leading = Leading(self.job_id, begun.row.run + 1)
        """By which the database tells it from other runs of the job."""
        self._restoration = begun.restoration
        self._logged_before = begun.logged
        self._logged = 0
        self._ends_before = begun.ends
        self._ends = 0
        self.waiting_for: dict[str, Wait] = {}
        self.idle_since: float | None = None
        self.shown_waiting = False
        self._futures: set[asyncio.Future[Any]] = set()
        self._executing: set[str] = set()
        self.places: dict[str, Place] = {}
        """Of tasks whose genies work on so many at a time, by their ids."""
        self._registering: list[Future[None]] = []

    @property
    def project(self) -> Project:
        """The project whose code runs."""
        return self.worker.project

    @property
    def store(self) -> Store:
        """The database."""
        return self.worker.store

    def effect_key(self, call: int, skill_call: str = "") -> str:
        """The idempotency key of a step, or of a skill call (`seq.i`) of a call's task."""
        base = self.row.keyed_as
        if not skill_call:
            return f"{base or self.job_id}.{call}"
        task = task_id(self.job_id, call) if base is None else f"{base}.{call}"
        return f"{task}.{skill_call}"

    @property
    def restoration(self) -> Restoration | None:
        """After which an earlier life may have done effects of this job that are not known here."""
        return self._restoration

    @property
    def makes_way(self) -> bool:
        """Whether it counts against a limit of its recipe only while it does not wait."""
        recipe = self.project.recipes.get(self.row.callable)
        return recipe is not None and recipe.concurrency is not None and not recipe.ordered

    @property
    def cast(self) -> Cast:
        """Who plays which genie here."""
        return self.worker.cast

    def require_model(self, genie: Genie) -> None:
        """Raise ModelUnknown, ModelKeyMissing if the genie's model can't be asked from here.

        A task whose outcome is on record asks nobody any more.
        """
        lane = self._lane
        next_call = self._begun.get(self.made + 1 if lane is None else lane.next)
        if next_call is not None and next_call.envelope is not None:
            return
        self.cast.model_of(genie).check()

    def above(self, id: str) -> AbstractContextManager[None]:
        """In here, spans of users' code come below that of this job or skill call."""
        telemetry = self.worker.telemetry
        return _NOTHING if telemetry is None else telemetry.within(self.row.root_id, id)

    # --- its end ---

    def check(self) -> None:
        """Raise RunEnded if it is over, or if others may have found this process gone."""
        if self.ended is None and not self.worker.presence.holds:
            self.end("deposed")
        super().check()

    def end(self, reason: EndReason) -> None:
        """Close the run: its waits end at once, and every further call raises RunEnded."""
        if self.ended is None:
            self.ended = reason
            for future in self._futures:
                if not future.done():
                    future.set_exception(RunEnded(self.job_id, reason))
                    future.exception()  # seen: whoever waits may have left by another way

    async def prove(self) -> None:
        """Return only if this run leads its job, which is in our charge. Raises RunEnded."""
        self.check()
        try:
            executor = self.worker.presence.id
            leads = await self.store.read(executors.has_lead, self.leading, executor)
        except Exception as error:
            raise self.unavailable(error) from error
        if not leads:
            raise self._over("deposed")

    def differ(self, why: str, *, at: int | None = None) -> RunEnded:
        """The code no longer fits what was begun: a person must look. Returns what to raise."""
        need_person(self.job_id, why, "Mend its code and restart the worker, then", "go-on", at=at)
        place = "" if at is None else f" at call {at}"
        self.worker.stop_for_attention(self, f"code changed{place}: {why}")
        return RunEnded(self.job_id, "attention")

    def _over(self, reason: EndReason) -> RunEnded:
        self.end(reason)
        return RunEnded(self.job_id, self.ended or reason)

    def unavailable(self, error: BaseException) -> RunEnded:
        """The database, or the engine, has let it down: the job is tried again. What to raise."""
        facts = {"event": "job.let_down", "job_id": self.job_id}
        said = "job %s stops for now: %s"
        _log.error(said, self.job_id, error, exc_info=error, extra=facts)
        return self._over("infrastructure")

    # --- activities ---

    @property
    def answered(self) -> bool:
        """Whether an answer is here that the call which waits for it has not seen yet."""
        return any(future.done() for future in self._futures)

    def _stir(self) -> None:
        super()._stir()
        self.idle_since = None

    def _came_to_rest(self) -> None:
        self.idle_since = asyncio.get_running_loop().time()
        self.worker.parking.became_idle(self)

    def executing(self) -> list[str]:
        """The calls whose bodies have not ended."""
        return sorted(self._executing)

    # --- waits ---

    async def until(self, wait: Wait) -> Answer:
        """The answer of a wait: once per wait id, however often the run is repeated.

        Raises StaleEpoch when the task that waits was answered in another way.
        """
        self.check()
        with self.worker.waits.expecting(wait.id) as future:
            self._futures.add(future)
            place = self.places.get(wait.task_id or "") if wait.kind != "rate" else None
            try:
                with nullcontext(False) if place is None else place.waiting() as leaves:
                    if place is not None and leaves:
                        answer, due_at = await place.leave_for(wait)
                    else:
                        answer, due_at = await self.store.write(inbox.open_wait, wait)
                    failpoint.hit("wait.opened")
                    if answer is None:
                        answer = await self._wait(wait, future, due_at)
            finally:
                self._futures.discard(future)
        self.check()
        if self.shown_waiting:
            # On disk before user code goes on, because what came of the wait is written behind it:
            # a crash from there on is counted against this job.
            self.shown_waiting = False
            self._registering.append(self.store.submit(jobs.mark, self.job_id, "running"))
        if answer.kind == "withdrawn":
            raise StaleEpoch(f"{wait.id} was withdrawn by {answer.source}")
        failpoint.hit("wait.answered")
        return answer

    async def _wait(
        self, wait: Wait, future: asyncio.Future[Answer], due_at: float | None
    ) -> Answer:
        if due_at is not None:
            self.worker.expiry.look_at(due_at)
        self.waiting_for[wait.id] = wait
        if wait.kind == "resolution":
            # Why is on record; it may quote an exception of the user's, with what it was about.
            what = wait.subject.get("skill") or wait.subject["step"]
            unknown = f"an outcome is unknown: whether {what} has happened"
            choice = f"resolve {wait.id} happened|did_not_happen|fail"
            need_person(self.job_id, unknown, "Say what became of it", choice, at=wait.call)
        elif wait.kind == "confirmation":
            need_user(self.job_id, wait.id, wait.subject["user"], wait.subject["skill"])
        elif wait.kind == "approval":
            need_approval(self.job_id, wait.subject["orchestrator"], wait.subject["orchestration"])
        try:
            with self.paused():
                self.check()
                answer = await future
                if self.makes_way:
                    # While it is parked others take its place: it must not go on meanwhile.
                    async with self.worker.lock(self.job_id):
                        self.check()
                return answer
        finally:
            del self.waiting_for[wait.id]

    async def heard(self, wait: Wait, has_come: Callable[[], Awaitable[bool]]) -> None:
        """Return when a wait that no table has is answered, or `has_come` says so. Raises RunEnded.

        Whoever answers writes the wait down as well.
        """
        self.check()
        with self.worker.waits.expecting(wait.id) as future:
            self._futures.add(future)
            try:
                if not await has_come():
                    await self._wait(wait, future, None)
            finally:
                self._futures.discard(future)
        self.check()

    async def changed(self, change: Callable[..., bool], *what: Any) -> bool:
        """What a change returns that stands on no record of calls. Raises RunEnded."""
        self.check()
        try:
            done = await self.store.write(change, *what)
        except StoreUnavailable as error:
            raise self.unavailable(error) from error
        self.check()
        return done

    # --- calls ---

    async def _unrecorded(self, call: Call[Any]) -> str:
        """Do a call: one that must not be lost sight of is written down first."""
        await self._registered()
        try:
            named = (self.leading, call.number, call.kind, call.name)
            if call.opens and call.number not in self._begun:
                self._lead(await self.store.write(calls.begin, Beginning(*named, call.digest)))
            began_at = clock.now()
            outcome = await self._do(call)
            if isinstance(outcome, values.Recorded):
                return outcome.envelope
            envelope = values.write(outcome)
            self._lead(await self.store.write(calls.finish, *named, began_at, envelope))
            return envelope
        except Exception as error:
            raise self.unavailable(error) from error

    def _lead(self, leads: bool) -> None:
        """Raise RunEnded for a run whose writing was refused, because another one leads."""
        if not leads:
            raise self._over("deposed")

    def attempts(self, number: int) -> int:
        """How often earlier runs had begun this call, as far as they wrote it down."""
        return self._begun[number].attempts if number in self._begun else 0

    def begun_at(self, number: int) -> float:
        """When this call began, in epoch seconds: at first, in whatever run that was."""
        return self._begun[number].opened_at if number in self._begun else clock.now()

    async def _do(self, call: Call[Any]) -> values.Outcome | values.Recorded:
        """What came of a call's body: it returns value or error, and never raises one."""
        failpoint.hit("call.before")
        self._executing.add(call.label)
        try:
            outcome = await call.body(self, call.number)
        except RunEnded:
            raise
        except StoreUnavailable as error:
            raise self.unavailable(error) from error
        except asyncio.CancelledError as error:
            reraise_if_cancelled(error)
            outcome = values.failure(error, call=call.label)
        except BaseException as error:
            self.check()
            outcome = values.failure(error, call=call.label)
        finally:
            self._executing.discard(call.label)
        failpoint.hit("call.after")
        return outcome

    def log(self, message: str) -> bool:
        """Keep a line that the recipe logged; False if an earlier run has, or this one is over."""
        self._logged += 1
        if self.ended is not None or self._logged <= self._logged_before:
            return False
        self.store.submit(jobs.log, self.job_id, self._logged, values.storable(message))
        return True

    def on_end(self, callable: str, input: Json) -> None:
        """Register what is to run when the job has ended, unless an earlier run has."""
        self._ends += 1
        if self.ended is None and self._ends > self._ends_before:
            write = (endings.register_end, self.job_id, self._ends, callable, input)
            self._registering.append(self.store.submit(*write))

    async def _registered(self) -> None:
        """What was registered is on disk before anything else begins."""
        for each in list(self._registering):
            # Calls side by side wait for the same ones, and one that is cancelled only for itself.
            await asyncio.shield(asyncio.wrap_future(each))
        self._registering = [each for each in self._registering if not each.done()]

    async def end_of_recipe(self, outcome: values.Outcome) -> None:
        """The recipe has ended: no more calls. Raises RunEnded if the run is over."""
        self.check()
        await self._registered()
        await self.require_all_begun(outcome)

    # --- children ---

    async def child(
        self,
        *,
        job_id: str,
        call: int,
        callable: str,
        input: Json,
        task_id: str | None = None,
        due_at: float | None = None,
    ) -> values.Outcome:
        """Start a child job, unless it is there already, and wait for its outcome until `due_at`.

        `task_id` is that of the task whose skill call this is, if it is one. Raises OutOfTime.
        """
        await self.start_children(
            [self.new_child(job_id, call=call, callable=callable, input=input, task_id=task_id)]
        )
        answer = await self.until(
            Wait(
                id=child_wait_id(job_id),
                job_id=self.job_id,
                call=call,
                kind="child",
                subject={"job": job_id, "callable": callable},
                task_id=task_id,
                due_at=due_at,
            )
        )
        if answer.kind == "expired":
            raise OutOfTime
        return await self.outcome_of(await self.store.read(jobs.if_ended, job_id))

    async def cancel_child(self, job_id: str) -> None:
        """Cancel a child job, if it was started and has not ended."""
        await self.worker.cancel(job_id)

    async def outcome_of(self, child: jobs.EndedJob | None) -> values.Outcome:
        """What a child job ended with."""
        assert child is not None
        return values.of_job(child.id, child.status, await self.store.unfold(child.outcome))

    def new_child(
        self,
        job_id: str,
        *,
        call: int,
        callable: str,
        input: Json,
        position: int | None = None,
        detached: bool = False,
        held: bool = False,
        task_id: str | None = None,
    ) -> new_jobs.NewJob:
        """The row of a child of this job, or of its task that is named."""
        return new_jobs.NewJob(
            keyed_as=new_jobs.child_effects(self.row, job_id),
            restoration=self.row.restoration,
            id=job_id,
            project=self.row.project,
            callable=callable,
            version=self.worker.version,
            input=input,
            trigger={"kind": "job", "job": self.job_id, "call": call},
            root_id=self.row.root_id,
            task_id=task_id or self.lineage.task_id,
            parent_id=self.job_id,
            parent_call=call,
            position=position,
            detached=detached,
            want="held" if held else "run",
            executor=self.worker.presence.id,
        )

    async def start_children(self, children: list[new_jobs.NewJob]) -> None:
        """Accept child jobs, and start those that may run."""
        self.check()
        recipes = self.project.recipes
        in_order = {
            each.callable
            for each in children
            if each.callable in recipes and recipes[each.callable].ordered
        }
        if not await self.store.write(new_jobs.create_children, self.job_id, children, in_order):
            raise self._over("cancelled")
        failpoint.hit("child.created")
        for each in children:
            if each.want == "run":
                self.worker.admission.start_soon(each.id)
