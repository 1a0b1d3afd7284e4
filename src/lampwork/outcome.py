"""What the recipe of a job comes to, led through its calls by a run or a rehearsal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lampwork import origin, values
from lampwork.errors import InputInvalid, NotImportable, ResultNotRecordable
from lampwork.job import Job
from lampwork.recipe import read_input, takes_job
from lampwork.runs.flow import Flow, RunEnded


async def outcome_of(flow: Flow) -> values.Outcome:
    """What the recipe returned or raised. Raises RunEnded if it was ended meanwhile."""
    name = flow.row.callable
    fn, input = await prepared(flow)
    try:
        if takes_job(fn):
            result = await fn(Job(flow), **input)
        else:
            result = await Job(flow).step(fn, **input)
        flow.returned()
        return values.Value(values.encode(result, values.return_type(fn), f"what {name} returns"))
    except RunEnded:
        raise
    except BaseException as error:
        # A dying run has no outcome, whatever the recipe made of it.
        flow.check()
        return replace(values.failure(error, call=f"recipe {name}"), origin=origin.of(error))


async def prepared(flow: Flow) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The recipe's function, and its arguments. Raises RunEnded if the code has changed."""
    try:
        fn = flow.project.load_callable(flow.row.callable)
        # It was checked when the job was accepted.
        return fn, read_input(fn, flow.row.input)
    except (NotImportable, InputInvalid, ResultNotRecordable) as error:
        raise flow.differ(str(error)) from error
