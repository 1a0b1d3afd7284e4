"""After quiet: each promise of the guarantees, what was compared, and what broke it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import folder
from benchmarks.soak_project import expected

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
        line = f"  {self.what:62} {self.compared:6} {'kept' if not self.broken else 'BROKEN'}"
        return "\n".join([line, *(f"      {case[:400]}" for case in self.broken[:SHOWN])])


def verdict(
    home: Path, accepted: dict[int, str], effects: list[dict[str, Any]], wrong: list[str]
) -> list[Promise]:
    """`wrong` is what went wrong while it ran."""
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for effect in effects:
        by_name[effect["effect"]].append(effect)
    return [
        Promise("it became quiet, and nothing was refused").compare([*wrong, None]),
        *_jobs(home, accepted, by_name),
        *_effects(by_name),
        *_rows(home),
        *_conversations(home),
    ]


def _jobs(home: Path, accepted: dict[int, str], effects: dict[str, Any]) -> list[Promise]:
    jobs = {row[0]: row[1:] for row in folder.rows(home, "select id, status, outcome from jobs")}
    there = Promise("an accepted job is on disk")
    there.compare(None if job in jobs else f"{n} ({job})" for n, job in accepted.items())
    ended = Promise("a job ended well, children too")
    ended.compare(
        None if status == "succeeded" else f"{job} {status}: {outcome}"
        for job, (status, outcome) in jobs.items()
    )
    result, left = Promise("it gave what it must"), Promise("it left the effects that it must")
    for number, job in accepted.items():
        status, outcome = jobs.get(job, (None, None))
        if status != "succeeded":
            continue
        value, named = expected(number)
        given = json.loads(outcome).get("value")
        result.compare([None if given == value else f"{job} gave {given!r}, not {value!r}"])
        left.compare(None if name in effects else f"{job}: no {name}" for name in named)
    return [there, ended, result, left]


def _effects(effects: dict[str, list[dict[str, Any]]]) -> list[Promise]:
    keys = Promise("an effect was only ever seen with one key").compare(
        None if len(calls) == 1 else f"{name}: {[(c['key'], c['calls']) for c in calls]}"
        for name, calls in effects.items()
    )
    once = Promise("an at_most_once effect was started once").compare(
        None if sum(c["calls"] for c in calls) == 1 else f"{name}: {calls}"
        for name, calls in effects.items()
        if calls[0]["kind"] == "at_most_once"
    )
    return [keys, once]


def _rows(home: Path) -> list[Promise]:
    """Our rows, and the engine's."""
    engine = dict(
        folder.rows(home, "select workflow_uuid, status from workflow_status", file="engine.db")
    )
    ours = dict(folder.rows(home, "select id, status from jobs"))
    same = Promise("the engine says of a job what we say").compare(
        None if engine.get(job) == "SUCCESS" else f"{job} is {status}, {engine.get(job)} there"
        for job, status in ours.items()
        if status in ("succeeded", "failed")
    )
    known = Promise("the engine has no job that we have not").compare(
        None if job in ours else f"{job} is {status}" for job, status in engine.items()
    )
    counts = Counter(
        row[0] for row in folder.rows(home, "select wait_id from inbox where wait_id is not null")
    )
    answered = Promise("a wait was answered once").compare(
        None if count == 1 else f"{wait}: {count}" for wait, count in counts.items()
    )
    events = Promise("an event was taken").compare(
        None if taken else f"{topic}: {value}"
        for topic, value, taken in folder.rows(
            home, "select topic, value, wait_id from inbox where kind = 'message'"
        )
    )
    settled = Promise("no wait is open after its job").compare(
        None if is_answered else f"{wait}, {kind}"
        for wait, kind, is_answered in folder.rows(home, "select id, kind, answered from waits")
    )
    return [same, known, answered, events, settled]


def _conversations(home: Path) -> list[Promise]:
    """What was written in them, and who holds them."""
    numbers: dict[str, list[int]] = defaultdict(list)
    results: Counter[tuple[str, str]] = Counter()
    intents: set[tuple[str, str]] = set()
    query = "select conversation_id, seq, kind, json_extract(body, '$.call') from entries"
    for conversation, seq, kind, call in folder.rows(home, f"{query} order by 1, 2"):
        numbers[conversation].append(seq)
        if kind == "intent":
            intents.add((conversation, call))
        elif kind == "result":
            results[conversation, call] += 1
    linear = Promise("a conversation has no gap").compare(
        None if seqs == list(range(1, len(seqs) + 1)) else f"{conversation}: {seqs}"
        for conversation, seqs in numbers.items()
    )
    once = Promise("an intent has one result").compare(
        None if results[intent] == 1 else f"{intent}: {results[intent]}" for intent in intents
    )
    free = Promise("no conversation is held, nobody is in line").compare(
        f"{conversation} by {holder}" if holder else None
        for conversation, holder in folder.rows(home, "select id, holder from conversations")
    )
    free.compare(f"{task} in line" for (task,) in folder.rows(home, "select task_id from line"))
    return [linear, once, free]
