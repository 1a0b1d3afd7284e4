"""Whatever a step's body does to itself is the step's outcome, and kills nothing."""

from __future__ import annotations

import pytest
from tests.support import clerk, opened, result, status

from lampwork import Job
from lampwork.errors import StepFailed


async def test_next_of_nothing_in_a_plain_function_fails_its_step(project, home):
    """StopIteration can't be set on a future: the step, and so the job, would never end."""

    def first_of_none() -> int:
        return next(iter([]))

    @project.recipe()
    async def careless(job: Job) -> str:
        try:
            await job.step(first_of_none)
        except StepFailed as error:
            return error.error_type
        return "it went well"

    async with opened(project, home) as app:
        job_id = (await app.start(careless)).job_id
        assert await result(app, job_id) == "RuntimeError"


class Odd(BaseException):
    """As a library may raise to get past every `except Exception`."""


_ENDS = [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, Odd]


@pytest.mark.parametrize("error", [*_ENDS, ValueError])
async def test_an_at_most_once_step_that_ends_in_any_error_is_unknown(project, home, error):
    """`sys.exit` after the money was sent: "failed" would say that it was not."""

    def pay() -> None:
        raise error

    @project.recipe()
    async def payer(job: Job) -> None:
        await job.options(effect="at_most_once").step(pay)

    async with opened(project, home) as app:
        job_id = (await app.start(payer)).job_id
        await status(app, job_id, "needs_attention")


@pytest.mark.parametrize("error", _ENDS)
async def test_a_skill_that_ends_its_process_in_vain_is_a_skill_that_failed(project, home, error):
    """`sys.exit` or Ctrl-C out of a skill's body would end the event loop and strand its job."""

    @project.skill(effect="read")
    async def look() -> str:
        """Look."""
        raise error

    genie = clerk(project, look)

    @project.recipe()
    async def review(job: Job) -> str:
        task = await job.assign_task(genie, "Look.")
        return f"{task.response} {task.actions[0].status}"

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        assert await result(app, job_id) == "done error"
