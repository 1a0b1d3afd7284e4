"""The verdict on a job that was killed: what is not as in a run in which nothing went wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lampwork.testing.crash.effect import Effect, problems_of
from lampwork.testing.crash.journal import Journal

__all__ = ["Lived", "problems"]


@dataclass(slots=True)
class Lived:
    """What came of a job, over all the lives of its processes."""

    journal: Journal
    lives: int
    effects: list[Effect]
    problem: str | None = None
    """Why it did not end."""
    asked: list[str] = field(default_factory=list[str])
    undone: Counter[str] = field(default_factory=Counter[str])
    """By key: how often it was said that it did not happen, and so had to be done again."""


def problems(undisturbed: Lived, lived: Lived, compare: Callable[[Any], Any]) -> Iterator[str]:
    """What is not as in the undisturbed run."""
    yield from _keys_and_starts(lived)
    if lived.problem is not None:
        yield lived.problem
    else:
        yield from _other_end(undisturbed.journal, lived.journal, compare)
    for each in problems_of(undisturbed.effects, lived.effects):
        # What was lost may be yet to come, in a job that has not ended.
        if lived.problem is None or "is lost" not in each:
            yield each


def _other_end(should: Journal, did: Journal, compare: Callable[[Any], Any]) -> Iterator[str]:
    if should.end is None or did.end is None:
        return
    for what in ("error", "jobs"):
        if should.end[what] != did.end[what]:
            yield f"its {what}: {did.end[what]} instead of {should.end[what]}"
    outputs = [compare(_without_ids(each)) for each in (should, did)]
    if outputs[0] != outputs[1]:
        yield f"its output: {outputs[1]!r} instead of {outputs[0]!r}"


def _without_ids(journal: Journal) -> Any:
    """The output of a job, in which no id of it or of anything below it tells runs apart."""
    assert journal.end is not None
    assert journal.job_id is not None
    output = json.dumps(journal.end["output"])
    return json.loads(output.replace(journal.job_id[1:], "…"))


def _keys_and_starts(lived: Lived) -> Iterator[str]:
    """Effects that began under several keys, and what must happen at most once and began twice."""
    calls: dict[tuple[str, str, str], list[str]] = {}
    at_most_once: set[str] = set()
    for each in lived.journal.starts:
        calls.setdefault((each.job, each.call, each.name), []).append(each.key)
        if each.effect == "at_most_once":
            at_most_once.add(each.key)
    for (_, call, name), keys in calls.items():
        if len(set(keys)) > 1:
            yield (
                f"{name}, call {call}, began under {len(set(keys))} keys: {', '.join(keys)}. Make "
                "its key of the job's input, or of job.uuid(), which is the same on a replay"
            )
        elif keys[0] in at_most_once and len(keys) > 1 + lived.undone[keys[0]]:
            yield f"{name}, call {call}, may happen at most once, and began {len(keys)} times"
