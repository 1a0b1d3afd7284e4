"""One recorded call of a run: its number, its record, and who may write it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from dbos import DBOS
from dbos._error import (
    DBOSStepNondeterminismError,
    DBOSUnexpectedStepError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
)

T = TypeVar("T")


class Deposed(Exception):
    """Another run owns the job, or it was parked or cancelled: this run may record nothing."""


class CallsDiffer(Exception):
    """The call at this number is not the one that was recorded there: the code has changed."""


class RecordedElsewhere(BaseException):
    """For a call's body to raise: its outcome is in our own tables, and the engine keeps none.

    DBOS records what a step returns and each `Exception` that it raises, and lets any other
    exception through.
    """

    def __init__(self, envelope: str) -> None:
        super().__init__("recorded elsewhere")
        self.envelope = envelope


class ReservedCall:
    """A number in the run's order of calls, taken when the call was made."""

    def __init__(self) -> None:
        self._reservation = DBOS.reserve_step()
        self.number = self._reservation.step_id

    async def run(self, name: str, body: Callable[[], Awaitable[str]]) -> str:
        """The envelope recorded under this number; runs `body` for it if there is none yet.

        A body that raises RecordedElsewhere leaves no record here.
        Raises Deposed, CallsDiffer, or whatever the database raised.
        """
        try:
            return await self._reservation.run_async({"name": name}, _coroutine_function(body))
        except RecordedElsewhere as elsewhere:
            return elsewhere.envelope
        except (DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError) as error:
            raise Deposed(str(error)) from error
        except (DBOSUnexpectedStepError, DBOSStepNondeterminismError) as error:
            raise CallsDiffer(str(error)) from error


def reserve() -> ReservedCall:
    """Take the next number, inside a run."""
    return ReservedCall()


async def prove_ownership() -> None:
    """Return only if the run that this is called from, inside a call, owns its job.

    Setting an event from inside a step makes no step of its own, and DBOS refuses it to anyone
    but the owner of the workflow, in the transaction that writes it.
    Raises Deposed.
    """
    try:
        await DBOS.set_event_async("owner", None)
    except (DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError) as error:
        raise Deposed(str(error)) from error


async def outside(call: Coroutine[Any, Any, T]) -> T:
    """Await a DBOS call from a clean context: made from a run's own, it would number itself as
    one of the run's calls, and a workflow started there would become DBOS's child of it."""
    return await asyncio.create_task(call, context=contextvars.Context())


def _coroutine_function(
    body: Callable[[], Awaitable[str]],
) -> Callable[[], Coroutine[Any, Any, str]]:
    # DBOS asks inspect whether the function is a coroutine function, so it must be one itself.
    async def run() -> str:
        return await body()

    return run
