"""Who owns a job, and calls of the engine that are none of its runs' own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

from dbos import DBOS
from dbos._error import DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError

T = TypeVar("T")


class Deposed(Exception):
    """Another run owns the job, or it was parked or cancelled."""


class _Proven(BaseException):
    """Ends a step without a record: DBOS makes one of what it returns and of each `Exception`."""


async def prove_ownership() -> None:
    """Return only if the run that this is called from owns its job.

    Setting an event from inside a step makes no step of its own, and DBOS refuses it to anyone
    but the owner of the workflow, in the transaction that writes it.
    Raises Deposed.
    """
    try:
        await DBOS.run_step_async({"name": "owner"}, _set_event)
    except _Proven:
        return
    except (DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError) as error:
        raise Deposed(str(error)) from error


async def _set_event() -> None:
    await DBOS.set_event_async("owner", None)
    raise _Proven


async def outside(call: Coroutine[Any, Any, T]) -> T:
    """Await a DBOS call from a clean context: made from a run's own, it would number itself as
    one of the run's calls, and a workflow started there would become DBOS's child of it."""
    return await asyncio.create_task(call, context=contextvars.Context())
