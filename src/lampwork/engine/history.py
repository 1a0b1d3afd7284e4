"""The recorded calls of jobs, read from any process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOSClient
from dbos._sys_db import StepInfo

from lampwork.engine.database import open_tables
from lampwork.engine.serializer import JsonSerializer, refuse_pickle
from lampwork.place import Folder, Place
from lampwork.refusals import persistently, told


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A finished call: number, name (`kind callable`), envelope (see values.py), epoch seconds."""

    number: int
    name: str
    envelope: str
    started_at: float | None
    ended_at: float | None


def recorded_calls(place: Place, job_ids: Iterable[str]) -> dict[str, list[RecordedCall]]:
    """The finished calls of each of these jobs, in the order of their numbers. Blocks.

    Raises StoreUnavailable.
    """
    if isinstance(place, Folder) and not (place.path / "engine.db").exists():
        return {job_id: [] for job_id in job_ids}
    refuse_pickle()
    engine, wanted = open_tables(place), list(job_ids)
    try:
        with told(place):
            return persistently(lambda: _read(engine, wanted))
    finally:
        engine.dispose()


def _read(engine: sa.Engine, job_ids: list[str]) -> dict[str, list[RecordedCall]]:
    client = DBOSClient(system_database_engine=engine, serializer=JsonSerializer())
    try:
        return {job_id: recorded(client.list_workflow_steps(job_id)) for job_id in job_ids}
    finally:
        client.destroy()


def recorded(steps: list[StepInfo]) -> list[RecordedCall]:
    """DBOS's steps as recorded calls."""
    return [
        RecordedCall(
            number=step["function_id"],
            name=step["function_name"],
            envelope=str(step["output"]),
            started_at=_seconds(step["started_at_epoch_ms"]),
            ended_at=_seconds(step["completed_at_epoch_ms"]),
        )
        for step in steps
    ]


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
