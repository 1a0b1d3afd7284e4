"""What the recipe of a job comes to, led through its calls by a run or a rehearsal."""

from __future__ import annotations

from dataclasses import replace

from lampwork import origin, values
from lampwork.errors import InputInvalid, NotImportable, ResultNotRecordable
from lampwork.flow import Flow, RunEnded
from lampwork.job import Job
from lampwork.recipe import read_input, takes_job


async def outcome_of(flow: Flow) -> values.Outcome:
    """What the recipe returned or raised. Raises RunEnded if it was ended meanwhile."""
    name = flow.row.callable
    try:
        fn = flow.project.load_callable(name)
        # It was checked when the job was accepted, so it is the code that has changed.
        input = read_input(fn, flow.row.input)
    except (NotImportable, InputInvalid, ResultNotRecordable) as error:
        raise await flow.differ(str(error)) from error
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
