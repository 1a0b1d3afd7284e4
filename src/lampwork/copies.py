"""Copies of jobs: retry, rerun and fork. What would happen again is shown before anything does.

A copy is a job of its own that starts from its original's input and keeps some of its recorded
calls, whose results it gets as they are. All others are made anew, under new keys. The original
stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from lampwork import values
from lampwork.errors import InputInvalid
from lampwork.store.jobs import copies
from lampwork.store.jobs.calls import Finished, finished
from lampwork.store.people.audit import Act, recorded
from lampwork.store.tasks import by_hand
from lampwork.types import ENDED, CopyKind, Effect
from lampwork.views import CopyPlan, EarlierCopy, EffectCount, PlannedCall, summed

if TYPE_CHECKING:
    from lampwork.origin import Origin
    from lampwork.store.store import Store

__all__ = [
    "failed_by",
    "make",
    "new_copy",
    "plan",
    "with_answer",
]

_LOOKED_INTO = 1000
"""Jobs below the original whose effects are counted."""

Record = dict[str, dict[int, Finished]]
"""Finished calls by job id and number."""


async def plan(store: Store, job_id: str, kind: CopyKind, *, at: int | None = None) -> CopyPlan:
    """What a copy of a job would keep and do again. Nothing is changed.

    A **rerun** keeps nothing. A **fork** keeps the recorded calls before number `at`.

    A **retry** keeps all that the job had recorded but the calls from whose errors its own came:
    of calls side by side, all that failed; of an error that was caught and raised as another one,
    the call that raised the first. A failure that the recipe had caught, and that did not end it,
    is kept as it is: the recipe takes the same way up to the call that failed it. What the recipe
    made after it had learned of the failure is not kept either, since it may depend on it; what it
    made before can't. If no call failed it, because the recipe itself raised or the job was
    cancelled, all that is recorded is kept, and it goes on after that.

    Only jobs that nobody started from within another one have copies. Raises JobNotFound,
    CopyRefused, InputInvalid for an `at` that is not the number of one of its calls.
    """
    original = await store.read(copies.original, job_id, kind, at_most=_LOOKED_INTO)
    ids = [job_id, *(row.id for row in original.below)]
    record = _record(original, ids)
    numbers = record[job_id].keys() | {row.number for row in original.begun if row.job_id == job_id}
    if kind == "fork":
        _check_at(job_id, at, numbers, original, record)
    origin = _origin(original)
    kept = {number for number in record[job_id] if _is_kept(number, kind, at, origin)}
    effects = _effects(original, record)
    failed = set(origin.calls) if origin is not None else set[int]()
    calls = {each: _call(original, record, each, effects, failed) for each in sorted(numbers)}
    events = [row.id for row in original.messages if row.call not in record[job_id]]
    return CopyPlan(
        kind=kind,
        original=job_id,
        recipe=original.row.callable,
        status=original.row.status,
        at=at,
        kept=tuple(_without_effects(calls[each]) for each in calls if each in kept),
        again=(*(calls[each] for each in calls if each not in kept), *_ends(original, effects)),
        copies=tuple(
            EarlierCopy(job_id=row.id, kind=row.copied_as, status=row.status)
            for row in original.copies
        ),
        events=() if kind == "rerun" else tuple(events),
        notes=(
            *_notes(original, kind, origin, events),
            *await _answers_lost(store, original, kind, numbers - kept),
        ),
    )


async def _answers_lost(
    store: Store, original: copies.Original, kind: CopyKind, again: Set[int]
) -> list[str]:
    """What people have answered in the original or its copies, where the genie is asked again."""
    known = [original.row.id, *(row.id for row in original.copies)]
    return [
        f"Task {row.id} was answered by {row.by} in job {row.job_id}; this {kind} asks the genie "
        "again."
        for row in await store.read(by_hand.answers_in, known)
        if row.call in again
    ]


def with_answer(plan: CopyPlan, call: int, task_id: str) -> CopyPlan:
    """A retry in which a person's answer stands in place of the failure of a call's task."""
    return replace(
        plan,
        again=tuple(each for each in plan.again if each.number != call),
        notes=(f"Task {task_id}, its call {call}, has the answer instead.", *plan.notes),
    )


async def make(store: Store, plan: CopyPlan, job_id: str) -> None:
    """Accept the copy that was planned, under this id: what it keeps is what was shown.

    Raises CopyRefused if the original has begun to execute meanwhile.
    """
    act = Act(f"job.{plan.kind}", plan.original, details={"copy": job_id})
    await store.write(recorded(act, copies.create), await new_copy(store, plan, job_id))


async def new_copy(store: Store, plan: CopyPlan, job_id: str) -> copies.NewCopy:
    """The copy that was planned, with the calls that it keeps."""
    of = plan.original
    wanted = {each.number for each in plan.kept}
    original = await store.read(copies.original, of, plan.kind, at_most=0)
    record = _record(original, [of])
    kept = [record[of][number] for number in sorted(wanted)]
    return copies.NewCopy(
        id=job_id, of=of, kind=plan.kind, at=plan.at, kept=kept, messages=plan.events
    )


async def failed_by(store: Store, job_id: str) -> tuple[int, ...]:
    """The numbers of the calls from whose errors that of a failed job came."""
    origin = _origin(await store.read(copies.original, job_id, "retry", at_most=0))
    return () if origin is None else origin.calls


def _record(original: copies.Original, job_ids: list[str]) -> Record:
    """What is on record of these jobs."""
    record: Record = {job_id: {} for job_id in job_ids}
    for row in original.begun:
        if (call := finished(row)) is not None:
            record[row.job_id][row.number] = call
    return record


def _check_at(
    job_id: str, at: int | None, numbers: set[int], original: copies.Original, record: Record
) -> None:
    if at in numbers:
        return
    listed = "; ".join(
        f"{each} {' '.join(_name(original, record, each))}" for each in sorted(numbers)
    )
    raise InputInvalid(
        f"Job {job_id} has no call {at} to fork it at. "
        + (f"Its calls: {listed}." if listed else "It has made no call: rerun it."),
        problems=["at"],
    )


def _origin(original: copies.Original) -> Origin | None:
    outcome = values.read(original.outcome) if original.outcome else None
    return outcome.origin if isinstance(outcome, values.Failure) else None


def _is_kept(number: int, kind: CopyKind, at: int | None, origin: Origin | None) -> bool:
    match kind:
        case "rerun":
            return False
        case "fork":
            return at is not None and number < at
        case "retry":
            return origin is None or (number not in origin.calls and number <= origin.made)


# --- what was called ---


def _name(original: copies.Original, record: Record, number: int) -> tuple[str, str]:
    """Kind and name of a call of the original."""
    job_id = original.row.id
    if (over := record[job_id].get(number)) is not None:
        kind, _, name = over.label.partition(" ")
        return kind, name
    begun = next(row for row in original.begun if (row.job_id, row.number) == (job_id, number))
    return begun.kind, begun.name


def _call(
    original: copies.Original,
    record: Record,
    number: int,
    effects: dict[int, list[EffectCount]],
    failed: set[int],
) -> PlannedCall:
    kind, name = _name(original, record, number)
    over = record[original.row.id].get(number)
    came_of: Literal["succeeded", "failed", "open", "unknown"] = "succeeded"
    if over is None:
        came_of = "unknown" if kind == "step" else "open"
    elif number in failed or _is_failure(over):
        came_of = "failed"
    return PlannedCall(
        number=number,
        kind=kind,
        name=name,
        came_of=came_of,
        **_started(original, number),
        effects=tuple(effects[number]),
    )


def _without_effects(call: PlannedCall) -> PlannedCall:
    """A call that is kept: nothing of it happens again."""
    return PlannedCall(number=call.number, kind=call.kind, name=call.name, came_of=call.came_of)


def _ends(
    original: copies.Original, effects: dict[int, list[EffectCount]]
) -> Iterator[PlannedCall]:
    """What the recipe has registered to run after the end: a copy registers it anew."""
    if original.ends:
        yield PlannedCall(
            number=0,
            kind="on_end",
            name=", ".join(row.callable for row in original.ends),
            came_of="succeeded" if original.row.status in ENDED else "open",
            **_started(original, 0),
            effects=tuple(effects[0]),
        )


def _started(original: copies.Original, number: int) -> dict[str, int]:
    row = next((row for row in original.children if row.call == number), None)
    return {} if row is None else {"jobs": row.total, "jobs_succeeded": row.succeeded}


# --- what was done ---


def _effects(original: copies.Original, record: Record) -> dict[int, list[EffectCount]]:
    """By number of the original's call, all that happened through it at any depth."""
    job_id = original.row.id
    top_call = {row.id: row.top_call for row in original.below}
    found: dict[int, list[EffectCount]] = defaultdict(list)
    at_most_once = {
        (row.job_id, row.number) for row in original.begun if row.kind == "step" and row.attempts
    }
    for each, calls in record.items():
        for call in calls.values():
            if call.label.startswith("step ") and not _did_nothing(call):
                once = (each, call.number) in at_most_once
                top = call.number if each == job_id else top_call[each]
                found[top].append(_step(call, "at_most_once" if once else "idempotent"))
    for row in original.begun:
        if row.kind == "step" and row.number not in record[row.job_id]:  # at_most_once
            top = row.number if row.job_id == job_id else top_call[row.job_id]
            what = f"step {row.name}"
            found[top].append(EffectCount(what=what, effect="at_most_once", unknown=1))
    for done in original.skill_calls:
        if done.came_of != "nothing":
            top = done.call if done.job_id == job_id else top_call[done.job_id]
            what = f"skill {done.skill}"
            found[top].append(EffectCount(what=what, effect=done.effect, **{done.came_of: 1}))
    return defaultdict(list, {number: summed(each) for number, each in found.items()})


def _step(call: Finished, effect: Effect) -> EffectCount:
    if _is_failure(call):
        return EffectCount(what=call.label, effect=effect, failed=1)
    return EffectCount(what=call.label, effect=effect, happened=1)


def _is_failure(call: Finished) -> bool:
    # What is too large to stand here is a value: an error is short.
    return call.envelope.startswith('{"error":')


def _did_nothing(call: Finished) -> bool:
    outcome = values.read(call.envelope) if _is_failure(call) else None
    if not isinstance(outcome, values.Failure):
        return False
    return outcome.error["fields"].get("error_type") == "lampwork.errors.NotDone"


# --- what else is to be known ---


def _notes(
    original: copies.Original, kind: CopyKind, origin: Origin | None, events: list[int]
) -> Iterator[str]:
    row = original.row
    if kind == "retry" and row.status == "failed" and origin is None:
        yield (
            "No call failed it: its recipe raised. All recorded calls are kept, so it ends in the "
            "same way unless its code has changed. To make calls anew, fork it at one of them."
        )
    if row.status not in ENDED:
        yield f"Job {row.id} has not ended, and goes on beside its copy. Cancel it if it shall not."
    outcome = values.read(original.outcome) if original.outcome else None
    if row.status == "cancelled" and isinstance(outcome, values.Failure):
        unresolved = ", ".join(outcome.error["fields"].get("unresolved", ()))
        if unresolved:
            yield f"It was cancelled while {unresolved} executed: nobody knows how far that came."
    if events and kind != "rerun":
        what = "1 event" if len(events) == 1 else f"{len(events)} events"
        goes = "goes" if len(events) == 1 else "go"
        yield f"{what} that it had got and not used {goes} along."
    if len(original.below) == _LOOKED_INTO:
        yield f"Only the first {_LOOKED_INTO} jobs below it were looked into."
