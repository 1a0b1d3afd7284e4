"""A database with very much in it, written straight into the tables.

`python -m benchmarks.stored PLACE… JOBS ENTRIES`; PLACE… is `Place.words`. Of five jobs one is a
root with four below it; half of them have a task, in a conversation of its own. Nine of ten have
ended; the oldest have what hardly any other has: a status, a wait, a genie, a value, a word.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from benchmarks.records import settings
from benchmarks.systems import Place
from lampwork.place import Server
from lampwork.store.schema import conversations, entries, jobs, tasks, waits
from lampwork.store.store import Store

RARE = 20
"""Of the oldest roots: those that have what is rare."""

_BATCH = 5000
_WORDS = [
    "order",
    "amount",
    "paid",
    "supplier",
    "account",
    "reminder",
    "delivery",
    "matched",
    "total",
    "discount",
]
_USED = {"requests": 1, "input_tokens": 900, "output_tokens": 60, "cost_nanodollars": 210_000}
_NOW = time.time()
_SECONDS = 60 * 86400.0
"""Over how long the jobs have come."""


def main(place: Place, jobs_in_all: int, entries_in_all: int) -> None:
    Store(settings(place).place).close()  # makes the tables
    engine = _engine(place)
    roots = jobs_in_all // 5
    each = max(1, entries_in_all // (jobs_in_all // 2))
    chance = random.Random(7)
    tables = (jobs, waits, tasks, conversations, entries)
    with engine.begin() as connection:
        rows: dict[sa.Table, list[dict[str, Any]]] = {table: [] for table in tables}
        for number in range(roots):
            for table, row in _tree(number, roots, each, chance):
                rows[table].append(row)
            if number % (_BATCH // 50) == 0 or number == roots - 1:
                for table in tables:
                    if rows[table]:
                        connection.execute(sa.insert(table), rows[table])
                        rows[table].clear()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if isinstance(settings(place).place, Server):
            connection.exec_driver_sql("analyze")  # as it does by itself, a minute later
        stored = [connection.scalar(sa.select(sa.func.count()).select_from(t)) for t in tables]
    engine.dispose()
    print(json.dumps(dict(zip((table.name for table in tables), stored, strict=True))))


def _engine(place: Place) -> sa.Engine:
    at = settings(place).place
    if isinstance(at, Server):
        return sa.create_engine(at.for_driver(options="-c search_path=lampwork"))
    return sa.create_engine(f"sqlite:///{at.path / 'lampwork.db'}")


def _tree(
    number: int, roots: int, each: int, chance: random.Random
) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    rare = number < RARE
    at = _NOW - _SECONDS + number * _SECONDS / roots
    root = f"j{number:010d}{chance.randrange(10**8):08d}"
    for position in range(-1, 4):
        of_root = position < 0
        job = root if of_root else f"{root}.2.{position}"
        open = number % 10 == 0
        status = "needs_attention" if rare else "suspended" if open else "succeeded"
        if not open and not rare and number % 37 == 0:
            status = "failed"
        ended = None if status in ("suspended", "needs_attention") else at + chance.expovariate(0.1)
        recipe = f"review_{number % 10}" if of_root else "shop:review_item"
        yield jobs, _job(job, root, recipe, status, at, ended, position, rare)
        kind = "timer" if rare else "event"
        if ended is None:
            subject = {"name": "paid"}
            yield waits, _wait(f"w{job[1:]}.1", job, kind, subject, at, task=None)
        if position % 2:
            yield from _task(job, number, each, status, at, ended, rare=rare, chance=chance)


def _job(
    id: str,
    root: str,
    recipe: str,
    status: str,
    at: float,
    ended: float | None,
    position: int,
    rare: bool,
) -> dict[str, Any]:
    above = position >= 0
    return {
        "id": id,
        "project": "stored",
        "callable": recipe,
        "version": "1" * 16,
        "input": {"invoice": f"I-{id[1:]}", "note": "overdue since March" if rare else "as agreed"},
        "trigger": {"kind": "api"},
        "want": "parked" if ended is None else "run",
        "status": status,
        "parent_id": root if above else None,
        "parent_call": 2 if above else None,
        "position": position if above else None,
        "detached": False,
        "root_id": root,
        "run": 1,
        "crashes": 0,
        "created_at": at,
        "started_at": at + 0.01,
        "changed_at": ended or at,
        "ended_at": ended,
    }


def _wait(
    id: str, job: str, kind: str, subject: dict[str, Any], at: float, task: str | None
) -> dict[str, Any]:
    return {
        "id": id,
        "job_id": job,
        "call": 1,
        "task_id": task,
        "kind": kind,
        "subject": subject,
        "topic": f"{job}/paid",
        "opened_at": at,
        "answered": False,
        "parked": True,
    }


def _task(
    job: str,
    number: int,
    each: int,
    status: str,
    at: float,
    ended: float | None,
    *,
    rare: bool,
    chance: random.Random,
) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    task, conversation = f"t{job[1:]}.3", f"c{job[1:]}.3"
    words = " ".join(chance.choices(_WORDS, k=12))
    came_of_it = "failed" if status == "failed" else "answered"
    yield (
        tasks,
        {
            "id": task,
            "job_id": job,
            "call": 3,
            "depth": 1,
            "genie": "auditor" if rare else "finance" if number % 5 == 0 else "clerk",
            "conversation_id": conversation,
            "history_until": 0,
            "status": "waiting" if ended is None else came_of_it,
            "epoch": 1,
            "instructions": f"Check {words}{' with the customs office' if rare else ''}.",
            "data": {},
            "metadata": {"invoice_id": f"I-{job[1:]}"} | ({"vessel": "Emma"} if rare else {}),
            "sealed": [],
            "metered": False,
            "usage": None if ended is None else {name: n * each for name, n in _USED.items()},
            "model": None if ended is None else "playbook",
            "created_at": at,
            "ended_at": ended,
        },
    )
    yield from _conversation(conversation, task, each, at, is_held=ended is None, chance=chance)


def _conversation(
    id: str, task: str, each: int, at: float, *, is_held: bool, chance: random.Random
) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    yield (
        conversations,
        {
            "id": id,
            "project": "stored",
            "kind": "task",
            "holder": task if is_held else None,
            "epoch": 1,
            "last_seq": each,
            "created_at": at,
        },
    )
    for seq in range(1, each + 1):
        text = " ".join(chance.choices(_WORDS, k=30))
        yield (
            entries,
            {
                "conversation_id": id,
                "seq": seq,
                "task_id": task,
                "epoch": 1,
                "kind": "cut_off",
                "body": {"text": text, "model": "playbook", "usage": _USED},
                "at": at + seq,
            },
        )


if __name__ == "__main__":
    main(Place.read(*sys.argv[1:4]), int(sys.argv[4]), int(sys.argv[5]))
