"""After quiet: each promise of the guarantees, what was compared, and what broke it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.mixed.expected import expected, kind_of
from benchmarks.mixed.ground import Ground

SHOWN = 8
"""Broken cases that are printed of one promise."""


@dataclass
class Promise:
    what: str
    compared: int = 0
    broken: list[str] = field(default_factory=list)

    def compare(self, cases: Iterable[str | None]) -> Promise:
        """Count cases; one that is a sentence says how the promise was broken."""
        for case in cases:
            self.compared += 1
            if case is not None:
                self.broken.append(case)
        return self

    def __str__(self) -> str:
        line = f"  {self.what:66} {self.compared:6} {'kept' if not self.broken else 'BROKEN'}"
        return "\n".join([line, *(f"      {case[:400]}" for case in self.broken[:SHOWN])])


@dataclass(frozen=True)
class Job:
    id: str
    callable: str
    status: str
    root_id: str
    parent_id: str | None
    copy_of: str | None
    outcome: Any
    trigger: Any


def verdict(
    ground: Ground,
    accepted: dict[int, str],
    effects: list[dict[str, Any]],
    arrived: int,
    wrong: list[str],
) -> list[Promise]:
    """`arrived` is how many the poll was told of, `wrong` what went wrong while it ran."""
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for effect in effects:
        by_name[effect["effect"]].append(effect)
    jobs = _read_jobs(ground)
    return [
        Promise("it became quiet, and nothing was refused").compare([*wrong, None]),
        *_accepted(jobs, accepted, by_name),
        *_others(jobs, arrived, by_name),
        *_effects(by_name),
        *_engine(ground, jobs),
        *_waits(ground),
        *_conversations(ground),
        *_budgets(ground),
    ]


def _read_jobs(ground: Ground) -> dict[str, Job]:
    listed = ground.rows(
        "select id, callable, status, root_id, parent_id, copy_of, cast(outcome as text), "
        'cast("trigger" as text) from jobs'
    )
    return {
        row[0]: Job(*row[:6], json.loads(row[6]) if row[6] else None, json.loads(row[7]))
        for row in listed
    }


def _accepted(
    jobs: dict[str, Job], accepted: dict[int, str], effects: dict[str, Any]
) -> list[Promise]:
    there = Promise("an accepted job is on disk")
    there.compare(None if job in jobs else f"{n} ({job})" for n, job in accepted.items())
    copies = {job.copy_of: job for job in jobs.values() if job.copy_of is not None}
    ended, result = Promise("it came to the end that it must"), Promise("it gave what it must")
    left = Promise("it left the effects that it must, and no others")
    for number, job_id in accepted.items():
        if (job := jobs.get(job_id)) is None:
            continue
        must = expected(number)
        if must.how == "is retried":
            right = job.status == "failed" and job_id in copies
            ended.compare([None if right else f"{number} {job_id}: {job.status}, no retry"])
            job = copies.get(job_id, job)
        status = "cancelled" if must.how == "is cancelled" else "succeeded"
        case = f"{number} {kind_of(number)} {job.id}: {job.status}, {job.outcome}"
        ended.compare([None if job.status == status else case])
        if job.status != "succeeded":
            continue
        result.compare([None if _given(job) == must.value else f"{case}, not {must.value!r}"])
        left.compare(None if name in effects else f"{job.id}: no {name}" for name in must.effects)
    foreseen = {name for number in accepted for name in expected(number).effects}
    for name in effects:
        start = name.partition("/")[0]
        if start.isdigit() and int(start) in accepted:
            left.compare([None if name in foreseen else f"{name} was not to be done"])
    return [there, ended, result, left]


def _given(job: Job) -> Any:
    value = job.outcome.get("value")
    return value["response"] if isinstance(value, dict) else value


def _others(jobs: dict[str, Job], arrived: int, effects: dict[str, Any]) -> list[Promise]:
    """Children, jobs of triggers, of ends, of later messages."""
    ended = Promise("every job has ended, and none failed but to be retried")
    ended.compare(
        None
        if job.status in ("succeeded", "cancelled")
        or (job.status == "failed" and job.callable == "flawed" and job.copy_of is None)
        else f"{job.id} {job.callable}: {job.status} {job.outcome}"
        for job in jobs.values()
    )
    below = Promise("what is below a job that succeeded has not been cancelled")
    below.compare(
        None if jobs[job.parent_id].status != "succeeded" else f"{job.id} under {job.parent_id}"
        for job in jobs.values()
        if job.parent_id is not None and job.status == "cancelled"
    )
    items = Counter(job.trigger["key"] for job in jobs.values() if job.callable == "receive")
    found = Promise("an item that was polled started one job").compare(
        None if items[str(n)] == 1 and f"arrival {n}" in effects else f"{n}: {items[str(n)]} jobs"
        for n in range(1, arrived + 1)
    )
    times = Counter(job.trigger["scheduled_at"] for job in jobs.values() if job.callable == "tick")
    ticks = Promise("a time of the clock started one job").compare(
        None if count == 1 else f"{time}: {count} jobs" for time, count in times.items()
    )
    return [ended, below, found, ticks]


def _effects(effects: dict[str, list[dict[str, Any]]]) -> list[Promise]:
    keys = Promise("an effect was only ever seen with one key").compare(
        None if len(calls) == 1 else f"{name}: {[(c['key'], c['calls']) for c in calls]}"
        for name, calls in effects.items()
    )
    once = Promise("an at_most_once effect was started once").compare(
        None if sum(c["calls"] - c["late"] for c in calls) <= 1 else f"{name}: {calls}"
        for name, calls in effects.items()
        if calls[0]["kind"] == "at_most_once"
    )
    return [keys, once]


_THEIRS = {
    "succeeded": {"SUCCESS"},
    "failed": {"SUCCESS"},
    "cancelled": {"CANCELLED", "SUCCESS", None},
}
"""What the engine says of a job that has ended: its outcome is what the run returned."""


def _engine(ground: Ground, jobs: dict[str, Job]) -> list[Promise]:
    theirs = dict(ground.engine_rows("select workflow_uuid, status from workflow_status"))
    same = Promise("the engine says of a job what we say").compare(
        None
        if theirs.get(job.id) in _THEIRS.get(job.status, set())
        else f"{job.id} is {job.status}, {theirs.get(job.id)} there"
        for job in jobs.values()
    )
    known = Promise("the engine has no job that we have not").compare(
        None if job_id in jobs else f"{job_id} is {status}" for job_id, status in theirs.items()
    )
    return [same, known]


def _waits(ground: Ground) -> list[Promise]:
    given = "select wait_id from inbox where wait_id is not null"
    counts = Counter(row[0] for row in ground.rows(given))
    answered = Promise("a wait was answered once").compare(
        None if count == 1 else f"{wait}: {count}" for wait, count in counts.items()
    )
    events = Promise("an event was taken").compare(
        None if taken else f"{topic}: {value}"
        for topic, value, taken in ground.rows(
            "select topic, cast(value as text), wait_id from inbox where kind = 'message'"
        )
    )
    settled = Promise("no wait is open after its job").compare(
        None if is_answered or status == "cancelled" else f"{wait}, {kind}"
        for wait, kind, is_answered, status in ground.rows(
            "select waits.id, kind, answered, status from waits join jobs on jobs.id = job_id"
        )
    )
    return [answered, events, settled]


def _conversations(ground: Ground) -> list[Promise]:
    """What was written in them, and who holds them."""
    numbers: dict[str, list[int]] = defaultdict(list)
    calls: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    cancelled = {
        task
        for (task,) in ground.rows("select id from tasks where status in ('cancelled', 'failed')")
    }
    unfinished: set[tuple[str, str]] = set()
    listed = ground.rows(
        "select conversation_id, seq, task_id, kind, cast(body as text) from entries order by 1, 2"
    )
    for conversation, seq, task, kind, body in listed:
        numbers[conversation].append(seq)
        if kind in ("proposal", "intent", "result"):
            call = conversation, json.loads(body)["call"]
            calls[kind][call] += 1
            if task in cancelled:
                unfinished.add(call)
    linear = Promise("a conversation has no gap").compare(
        None if seqs == list(range(1, len(seqs) + 1)) else f"{conversation}: {seqs}"
        for conversation, seqs in numbers.items()
    )
    once = Promise("an intent is written once, and has one result").compare(
        None
        if (count, calls["result"][call]) == (1, 1)
        or (call in unfinished and (count, calls["result"][call]) == (1, 0))
        else f"{call}: {count} intents, {calls['result'][call]} results"
        for call, count in calls["intent"].items()
    )
    free = Promise("no conversation is held, nobody is in line").compare(
        f"{conversation} by {holder}" if holder else None
        for conversation, holder in ground.rows("select id, holder from conversations")
    )
    free.compare(f"{task} in line" for (task,) in ground.rows("select task_id from line"))
    return [linear, once, free]


def _budgets(ground: Ground) -> list[Promise]:
    said, unanswered, intent = (
        f"(select count(*) from entries join tasks as below on below.id = entries.task_id "
        f"where below.budget_id = budgets.id and entries.kind = '{kind}')"
        for kind in ("said", "unanswered", "intent")
    )
    figures = ground.rows(
        "select id, reserved_model_calls, spent_model_calls - estimated_model_calls, "
        f"spent_skill_calls, {said}, {unanswered}, {intent} from budgets"
    )
    charged = Promise("what a budget paid for is charged once, and nothing is reserved").compare(
        None
        if reserved == 0 and replies <= replied <= replies + unanswered and acted == intents
        else f"{task}: {reserved} reserved, {replied} of {replies} to {replies + unanswered} "
        f"replies, {acted} of {intents} skill calls"
        for task, reserved, replied, acted, replies, unanswered, intents in figures
    )
    return [charged]
