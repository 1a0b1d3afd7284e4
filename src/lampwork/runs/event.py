"""Events: values that someone sends to a job by name, and that must be of the type it waits for."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from lampwork import clock, values
from lampwork.errors import InputInvalid, WaitTimedOut, joined
from lampwork.runs.expected import misfits, schema_of
from lampwork.runs.wait import Answer, Wait
from lampwork.types import Json, wait_id

if TYPE_CHECKING:
    from lampwork.runs.run import Run

_log = logging.getLogger("lampwork.job")


def topic_of(job_id: str, name: str) -> str:
    """Where a job's events of a name wait."""
    return f"{job_id}:{name}"


async def receive(
    run: Run, number: int, name: str, annotation: Any, seconds: float | None
) -> values.Value:
    """The next event of a name, as call `number` of its job.

    One that came before anyone waited, and is not of the type, is passed over with a warning.
    Raises WaitTimedOut.
    """
    due_at = None if seconds is None else clock.now() + seconds
    topic, passed_over = topic_of(run.job_id, name), 0
    await run.lines.turn(topic, number)
    # Already, for waits are written in the order in which they are submitted, and several at once.
    run.lines.leave(topic, number)
    while True:
        wait = Wait(
            id=wait_id(run.job_id, number, f"{passed_over}" if passed_over else ""),
            job_id=run.job_id,
            call=number,
            kind="event",
            subject={"name": name, "schema": schema_of(annotation)},
            topic=topic,
            due_at=due_at,
        )
        answer = await run.until(wait)
        if answer.kind == "expired":
            raise WaitTimedOut(
                f'No event "{name}" came within {seconds:g} s.', name=name, timeout=seconds
            )
        try:
            return values.Value(_text(answer, name, annotation))
        except ValidationError:
            passed_over += 1
            _log.warning(
                'job %s passes over an event "%s" from %s: it is of another form',
                run.job_id,
                name,
                answer.source,
                extra={
                    "event": "job.event_passed_over",
                    "job_id": run.job_id,
                    "name_of_event": name,
                },
            )


def check(name: str, value: Json, expected: dict[str, Json] | None) -> None:
    """Refuse an event that the waiting job could not take. `expected` is its wait's subject.

    Raises InputInvalid; then nothing was sent.
    """
    if problems := misfits(value, expected):
        raise InputInvalid(
            f'The job waits for an event "{name}" of another form: {joined(problems)} '
            "Nothing was sent.",
            problems=[f"value: {each}" for each in problems],
        )


def _text(answer: Answer, name: str, annotation: Any) -> str:
    value = TypeAdapter(annotation).validate_json(json.dumps(answer.value))
    return values.encode(value, annotation, f'event "{name}"')
