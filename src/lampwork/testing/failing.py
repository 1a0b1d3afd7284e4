"""Crashes that a test wants: at a named boundary, in this process."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from lampwork import failpoint
from lampwork.errors import InputInvalid, one_of, quoted
from lampwork.failpoint import POINTS
from lampwork.runs.flow import RunEnded
from lampwork.runs.run import in_hand

__all__ = ["POINTS", "fails_at"]


_OF_NO_RUN = (
    *("job.claimed", "job.begun", "job.before_publish", "job.after_publish"),
    *("park.", "wake.", "store.", "trigger."),
)


@contextmanager
def fails_at(point: str, *, nth: int = 1) -> Generator[None]:
    """Let a job break off at a boundary, at the `nth` time that one comes there.

    >>> with testing.fails_at("skill.after_effect"):
    ...     await app.run(refund, account="DE-44-7117")

    The run of the job ends there, as if its process had been killed, and records nothing more. The
    job is taken up again in this process, a second later. `POINTS` lists the boundaries; those
    at which no code of a job executes are for `crash_everywhere`, which kills processes.

    Raises InputInvalid, also when no job came there.
    """
    check_point(point)
    if point.startswith(_OF_NO_RUN):
        raise InputInvalid(
            f"At {point} no code of a job executes that could break off. "
            f'Kill a process there: testing.crash_everywhere(…, only="{point}#{nth}").'
        )
    left = nth

    def die() -> None:
        nonlocal left
        run = in_hand.get()
        if run is None:
            return
        left -= 1
        if left == 0:
            run.end("infrastructure")
            raise RunEnded(run.job_id, "infrastructure")

    failpoint.arm(point, die)
    try:
        yield
    finally:
        failpoint.disarm(point)
    if left > 0:
        raise InputInvalid(
            f"No job came to {point} {nth} times while testing.fails_at was waiting for it, but "
            f"{nth - left} times. Await the job inside the block, or name another boundary: "
            f"{point} is where {POINTS[point]}."
        )


def check_point(point: str) -> None:
    """Raise InputInvalid for a boundary that there is not."""
    if point not in POINTS:
        raise InputInvalid(
            f"There is no boundary {quoted(point)}. {one_of(point, POINTS)}",
            problems=["point"],
        )
