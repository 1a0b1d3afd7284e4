"""One skill call, from its intent on disk to its result on disk.

Before anything acts, its intent is there; so after a crash every effect that may have happened is
known. What nobody knows is asked of the skill's reconciler, then of a person, never guessed.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from lampwork import clock, failpoint, values
from lampwork.errors import (
    NotDone,
    OrderCycle,
    PlanRejected,
    ResultNotRecordable,
    SkillInvalid,
    StoreUnavailable,
)
from lampwork.files.artifact import Saving
from lampwork.genies.effect import DidNotHappen, Happened, StillUnknown
from lampwork.genies.skill import Skill, SkillCall
from lampwork.metadata.seal import Seal
from lampwork.runs.deadline import Deadline, OutOfTime
from lampwork.runs.resolution import ask_person, since_restored
from lampwork.runs.run import reraise_if_cancelled
from lampwork.runs.wait import Wait
from lampwork.store.tasks import artifacts
from lampwork.tasks.confirmation import Confirmations
from lampwork.tasks.conversation import Hold, StaleEpoch
from lampwork.tasks.transcript import Intent
from lampwork.types import LARGEST_RESULT, Json, TaskStatus, wait_id

if TYPE_CHECKING:
    from lampwork.otel import Telemetry
    from lampwork.runs.run import Run
    from lampwork.store.upkeep.restorations import Restoration

__all__ = ["SkillCalls"]

_ENDED_WHILE_ACTING = "the process ended while it was executing"

_ELSEWHERE = (
    "its reconciler found that nothing has happened under this key, but its genie may have asked "
    "for the same in another turn then, which has another key"
)

_RECONCILED_AT_MOST = 3
"""How often a reconciler may say that it did not happen before a person is asked."""

_STOPPERS = (Exception, asyncio.CancelledError, SystemExit, KeyboardInterrupt)
"""What a skill's body may raise. Not our own RunEnded, which must get through."""


@dataclass(frozen=True, slots=True)
class SkillCalls:
    """The skill calls of one task."""

    run: Run
    hold: Hold
    call: int
    """The number of the task's own call in its job."""
    skills: dict[str, Skill[..., Any]]
    metadata: dict[str, Json]
    seal: Seal
    deadline: Deadline
    user: str | None
    """For whom the genie works, in a chat."""

    async def perform_all(self) -> None:
        """Bring every open call to its result, side by side. Returns when all have settled.

        When the task's time is up none begins, and those that wait or act are left; a call whose
        outcome is unknown then stays without a result.
        """
        chains = [
            asyncio.create_task(self._perform_in_turn(same))
            for same in _same_effects(list(self.hold.transcript.open.values()))
        ]
        if not chains:
            return
        with self.run.handed_over(chains):
            outcomes = await asyncio.gather(*chains, return_exceptions=True)
        self.run.check()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _perform_in_turn(self, same: list[Intent]) -> None:
        for position, intent in enumerate(same):
            # The later ones had not been started while the first had no result.
            intent.begun = intent.begun and position == 0
            place = self.hold.place
            with nullcontext() if place is None else place.acting():
                started, found_begun = time.monotonic(), intent.begun or intent.resolved > 0
                result = await self._perform_in_time(intent)
                if result is None:
                    continue
                result["seconds"] = round(time.monotonic() - started - intent.waited, 3)
                if intent.saved or found_begun:
                    await self._name_artifacts(intent, result)
                for said in result.keys() & {"value", "error"}:
                    result[said] = self.seal.hide(result[said])
                status: TaskStatus | None = None
                if intent.unknown is not None or intent.proposal is not None:  # it shows as waiting
                    status = self.hold.transcript.status_besides(intent.label)
                await self.hold.append(("result", {"call": intent.label, **result}), status=status)
            failpoint.hit("result.appended")
            if (telemetry := self.run.worker.telemetry) is not None:
                self._trace(telemetry, intent, result)
        if self.hold.place is not None:
            await self.hold.place.leave_to_wait()

    def _trace(self, telemetry: Telemetry, intent: Intent, result: dict[str, Json]) -> None:
        """Send the span of a call that has its result."""
        from lampwork.otel import SkillSpan  # it is there: telemetry is on

        now = clock.now()
        failed: dict[str, Json] = result.get("error") or {}
        span = SkillSpan(
            key=intent.key,
            root_id=self.run.row.root_id,
            task_id=self.hold.task_id,
            skill=intent.skill,
            call_id=intent.call_id,
            effect=intent.effect,
            status=result["status"],
            began=intent.begun_at or now - result["seconds"],
            ended=now,
            error=None if result["status"] == "ok" else failed.get("type", result["status"]),
        )
        telemetry.skill_called(span)

    async def _name_artifacts(self, intent: Intent, result: dict[str, Json]) -> None:
        """In the result of a call stands what it has saved, in this run or an earlier one."""
        saved = await self.run.store.read(artifacts.of_call, self.hold.task_id, intent.label)
        if saved:
            result["artifacts"] = saved

    async def _perform_in_time(self, intent: Intent) -> dict[str, Json] | None:
        """The body of the result entry; None if time is up and nobody knows what it did."""
        try:
            return await self._perform(intent)
        except OutOfTime:
            if intent.child is not None:
                await self.run.cancel_child(intent.child)
            if intent.unknown is not None:
                return None
            why: Json = {"type": "OutOfTime", "message": "Not completed: the task's time was up."}
            return {"status": "not_completed", "error": why}

    async def _perform(self, intent: Intent) -> dict[str, Json]:
        if intent.proposal is not None:
            gate = Confirmations(self.run, self.hold, self.call, self.skills, self.deadline)
            if (not_done := await gate.ask(intent)) is not None:
                return not_done
        skill = self.skills.get(intent.skill)
        if skill is None or (skill.recipe is None) != (intent.child is None):
            return await self._without_skill(intent)
        if skill.recipe is not None:
            return await self._run_recipe(skill, intent)
        if intent.effect == "at_most_once":
            return await self._act_once(skill, intent)
        return await self._act_with_retries(skill, intent)

    async def _without_skill(self, intent: Intent) -> dict[str, Json]:
        """The code has changed: the genie no longer has the skill, or what was a recipe is none.

        A recipe is found again by the id of its job, and a function by the key of its call, so one
        can't take the other's place.
        """
        if intent.child is not None:
            raise self.run.differ(
                f"task {self.hold.task_id} waits for job {intent.child}, which its skill "
                f'"{intent.skill}" has started, and its genie no longer has a recipe of that name. '
                "Bring it back, or cancel the job.",
                at=self.call,
            )
        if intent.effect != "read" and intent.begun:
            await self._note(intent, _ENDED_WHILE_ACTING)
            result = await self._ask_person(intent, _ENDED_WHILE_ACTING)
            if result is not None:
                return result
        return _error(intent, NotDone("the genie no longer has this skill as it was"))

    # --- a recipe: a child job, found again by its id ---

    async def _run_recipe(self, skill: Skill[..., Any], intent: Intent) -> dict[str, Json]:
        self.deadline.check()
        given = {name: self.metadata[name] for name in skill.metadata if name in self.metadata}
        try:
            outcome = await self.run.child(
                job_id=cast(str, intent.child),
                call=self.call,
                callable=skill.recipe or "",
                input=self._arguments(skill, intent) | given,
                task_id=self.hold.task_id,
                due_at=self.deadline.at,
            )
        except OrderCycle as error:
            return _error(intent, error)
        if isinstance(outcome, values.Value):
            return _recorded(skill.name, outcome.text)
        error, status = outcome.error, "error"
        cause: dict[str, Json] = error["fields"].get("error") or {}
        if cause.get("code") == PlanRejected.code:
            error, status = cause, "rejected"
        return {"status": status, "error": {"type": error["code"], "message": error["message"]}}

    # --- read and idempotent: again, with the same key ---

    async def _act_with_retries(self, skill: Skill[..., Any], intent: Intent) -> dict[str, Json]:
        attempt = 0
        before = 1 if intent.begun else 0  # by a run that ended while it was executing
        while True:
            attempt += 1
            self.run.check()
            self.deadline.check()
            try:
                result = await self._act(skill, intent)
                return result | {"attempts": before + attempt}
            except OutOfTime:
                raise
            except _STOPPERS as error:
                reraise_if_cancelled(error)
                if skill.retry is None or attempt >= skill.retry.attempts:
                    return _error(intent, error) | {"attempts": before + attempt}
            async with self.deadline.bounding():
                await clock.sleep(skill.retry.pause(attempt))

    # --- at most once: what is not known is found out ---

    async def _act_once(self, skill: Skill[..., Any], intent: Intent) -> dict[str, Json]:
        if intent.unknown is None:
            if intent.begun:
                await self._note(intent, _ENDED_WHILE_ACTING)
            elif (restoration := self._done_before(intent)) is not None:
                await self._note(intent, since_restored(restoration))
        while True:
            if intent.unknown is not None:
                result = await self._find_out(skill, intent, intent.unknown)
                if result is not None:
                    return result
            self.run.check()
            self.deadline.check()
            try:
                return await self._act(skill, intent)
            except NotDone as error:
                return _error(intent, error)
            except OutOfTime:
                await self._note(intent, "the task's time was up while it was executing")
                raise
            except _STOPPERS as error:
                reraise_if_cancelled(error)
                await self._note(intent, _sentence(error), values.users_traceback(error))

    async def _note(self, intent: Intent, why: str, trace: str | None = None) -> None:
        note: dict[str, Json] = self.seal.hide({"why": why, "traceback": trace})
        note["call"] = intent.label
        await self.hold.append(("unknown", note), status="waiting")

    async def _find_out(
        self, skill: Skill[..., Any], intent: Intent, why: str
    ) -> dict[str, Json] | None:
        """The result of a call whose outcome is unknown; None when it is to be done."""
        match await self._reconcile(skill, intent):
            case Happened(value):
                found = self._encoded(skill, value) | {"source": "reconcile"}
                if found["status"] == "ok":
                    return found
                # The call has happened, and nobody has its result: a person gives it.
                why = (
                    f"{why}; its reconciler returned {Happened(value)!r}, which is no result of it"
                )
            case DidNotHappen() if self._done_before(intent) is not None:
                why = f"{why}; {_ELSEWHERE}"
            case DidNotHappen() if intent.resolved < _RECONCILED_AT_MOST:
                await self._resolve(intent, "reconcile")
                return None
            case StillUnknown(more) if more:
                why = f"{why}; {more}"
            case _:
                pass
        return await self._ask_person(intent, why, skill.contract.returns)

    def _done_before(self, intent: Intent) -> Restoration | None:
        """After which it was asked for, if an earlier life may have done it, maybe in another turn.

        Of what a person has said did not happen, or what was asked for before the backup, the key
        alone tells.
        """
        restoration = self.run.restoration
        if restoration is None or intent.resolved or intent.begun_at < restoration.restored_at:
            return None
        return restoration

    async def _reconcile(
        self, skill: Skill[..., Any], intent: Intent
    ) -> Happened[Any] | DidNotHappen | StillUnknown:
        call = self._facts(intent)
        try:
            bound = skill.bind(self._arguments(skill, intent), self.metadata, call)
            async with self.deadline.bounding():
                return await skill.ask_reconciler(bound, call)
        except OutOfTime:
            raise
        except _STOPPERS as error:
            reraise_if_cancelled(error)
            return StillUnknown(f"its reconciler raised {_sentence(error)}")

    async def _ask_person(
        self, intent: Intent, why: str, returns: Any = values.UNTYPED
    ) -> dict[str, Json] | None:
        """What a person says became of a call; None when it is to be done."""

        def question(suffix: str, why: str) -> Wait:
            return Wait(
                id=wait_id(
                    self.run.job_id, self.call, ".".join(filter(None, [intent.label, suffix]))
                ),
                job_id=self.run.job_id,
                call=self.call,
                kind="resolution",
                task_id=self.hold.task_id,
                due_at=self.deadline.at,
                subject={
                    "skill": intent.skill,
                    "arguments": intent.arguments,
                    "key": intent.key,
                    "begun_at": intent.begun_at,
                    "why": why,
                },
            )

        said = await ask_person(
            self.run,
            question,
            nth=str(intent.resolved),
            again=intent.resolved > 0,
            why=why,
            returns=returns,
            what=intent.skill,
        )
        match said.verdict:
            case "happened":
                word = {"source": said.by} | ({"reason": said.reason} if said.reason else {})
                return _recorded(intent.skill, said.result) | word
            case "did_not_happen":
                await self._resolve(intent, said.by, said.reason)
                return None
            case "fail":
                failed: Json = {"type": "resolved_as_failed", "message": said.reason}
                return {"status": "failed", "error": failed, "source": said.by}

    async def _resolve(self, intent: Intent, by: str, reason: str = "") -> None:
        """On disk before it is done again: from here on a crash makes it unknown anew."""
        entry: dict[str, Json] = {"call": intent.label, "by": by}
        if reason:
            entry["reason"] = reason
        await self.hold.append(("resolved", entry), status="working")

    # --- the act ---

    async def _act(self, skill: Skill[..., Any], intent: Intent) -> dict[str, Json]:
        async with self._saving(intent) as saving:
            try:
                arguments = self._arguments(skill, intent)
                bound = skill.bind(arguments, self.metadata, self._facts(intent, saving))
            except (SkillInvalid, ValidationError) as error:
                raise NotDone(str(error)) from error
            failpoint.hit("skill.before_effect", self._starting(skill, intent))
            limit, began = asyncio.timeout(skill.timeout), time.monotonic()
            try:
                async with self.deadline.bounding(), limit:
                    with self.run.above(intent.key):
                        value = await skill.act(bound)
            except TimeoutError as error:
                if limit.expired():
                    raise TimeoutError(f"it took longer than {skill.timeout:g} s") from error
                raise
            finally:
                self.run.worker.counters.skill_calls.took(time.monotonic() - began)
            failpoint.hit("skill.after_effect")
        return self._encoded(skill, value)

    def _starting(self, skill: Skill[..., Any], intent: Intent) -> failpoint.Starting:
        place = f"{self.call}.{intent.label}"
        return failpoint.Starting(self.run.job_id, place, skill.name, intent.effect, intent.key)

    @asynccontextmanager
    async def _saving(self, intent: Intent) -> AsyncGenerator[Saving]:
        """Where the artifacts of one attempt go; left when they are on disk."""
        saving = Saving(functools.partial(self.hold.save_artifact, call=intent.label))
        try:
            yield saving
        finally:
            intent.saved |= saving.saved
            try:
                await saving.end()
            except (StaleEpoch, StoreUnavailable) as error:
                # No outcome of the skill: the call is taken up again when the database is there.
                raise self.run.unavailable(error) from error

    def _encoded(self, skill: Skill[..., Any], value: Any) -> dict[str, Json]:
        try:
            return _recorded(skill.name, skill.encode(value))
        except ResultNotRecordable as error:
            return _done_but(skill.name, str(error))

    def _arguments(self, skill: Skill[..., Any], intent: Intent) -> dict[str, Json]:
        """What the genie asked for, with sealed values in place of their names."""
        if not skill.takes_sealed:
            return intent.arguments
        readings = list(self.seal.readings(intent.arguments))
        for reading in readings[:-1]:
            if not skill.contract.fit(reading)[1]:
                return reading
        return readings[-1]

    def _facts(self, intent: Intent, saving: Saving | None = None) -> SkillCall:
        names = intent.key, self.hold.task_id, self.hold.conversation_id
        hosts = self.run.project.allowed_hosts
        reading = self.hold.read_file
        return SkillCall(
            *names, user=self.user, saving=saving, allowed_hosts=hosts, reading=reading
        )


def _same_effects(intents: list[Intent]) -> list[list[Intent]]:
    """Calls side by side, but equal ones that must happen at most once in turn.

    While the outcome of one is unknown, its equal is not started.
    """
    chains: dict[str, list[Intent]] = {}
    for intent in intents:
        digest = intent.label
        if intent.effect == "at_most_once" and intent.child is None:
            digest = f"{intent.skill} {json.dumps(intent.arguments, sort_keys=True)}"
        chains.setdefault(digest, []).append(intent)
    return list(chains.values())


def _sentence(error: BaseException) -> str:
    name = type(error).__name__
    return values.storable(f"{name}: {error}") if str(error) else name


def _recorded(skill: str, text: str) -> dict[str, Json]:
    if len(text) > LARGEST_RESULT:
        return _done_but(
            skill,
            f"its result has {len(text):,} characters, and {LARGEST_RESULT:,} is the most",
        )
    return {"status": "ok", "value": json.loads(text)}


def _done_but(skill: str, problem: str) -> dict[str, Json]:
    """It did act: the model must not take this for a reason to do it again."""
    message = f"{skill} has done its work, but {problem}. Do not repeat the call."
    return {"status": "error", "error": {"type": "ResultNotRecordable", "message": message}}


def _error(intent: Intent, error: BaseException) -> dict[str, Json]:
    """A failure: its message is for the model, its traceback for people."""
    return {
        "status": "error",
        "error": {
            "type": type(error).__name__,
            "message": f"{intent.skill} failed: {_sentence(error)}",
            "traceback": values.users_traceback(error),
        },
    }
