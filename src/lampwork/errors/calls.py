"""Job calls that can't be made, and what they raise when they have failed."""

from __future__ import annotations

from typing import Any

from lampwork.errors.error import LampworkError


class CallError(LampworkError):
    """A job call that cannot be made."""


class UnknownCall(CallError):
    """A job call that Lampwork can't number: made in an asyncio task of the user's own."""


class CallNotAwaited(CallError, AttributeError):
    """A recipe asks a job call for something before it has awaited it. Fields: `attribute`."""


class CallInterrupted(CallError):
    """A job call was cancelled from outside, as `asyncio.timeout` does; use `options(timeout=)`."""


class ResultNotRecordable(CallError):
    """A value that cannot be written down as JSON and read back the same."""


class StepFailed(LampworkError):
    """A step raised. Fields: `error_type` (qualified name), `details` (its message), `call`."""


class JobFailed(LampworkError):
    """A job did not succeed. Fields: `job_id`, `job_status`, `error` (its record or None)."""


class BranchesFailed(LampworkError):
    """Branches of `gather` or `map` failed; all had settled.

    Fields: `results` (by position, None where it failed), `errors` (position → exception).
    """

    def to_record(self) -> dict[str, Any]:
        """The errors' own records by position; results are in the record of their branches."""
        errors: dict[str, dict[str, Any]] = {
            str(position): error.to_record()
            if isinstance(error, LampworkError)
            else {"code": type(error).__name__, "message": str(error), "fields": {}}
            for position, error in self.fields["errors"].items()
        }
        return {"code": self.code, "message": self.message, "fields": {"errors": errors}}


class WaitTimedOut(LampworkError):
    """What was waited for did not come in time. Fields: `name`, `timeout` in seconds."""

    status = 504


class EndpointFailed(LampworkError):
    """An endpoint's job failed, or what a recipe called is no endpoint that takes this.

    Fields: `url`, `answered` (the HTTP status, or None), `problem` (its code, or None).
    """

    status = 502


class PollFailed(LampworkError):
    """The function of a poll raised, or did not return items in time. Fields: `function`."""

    status = 502


class NotDone(Exception):
    """For skills and steps to raise: nothing happened, so it may safely be tried again."""
