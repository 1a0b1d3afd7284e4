"""Starts, cancels and wakes jobs. A job is one DBOS workflow under the job's id, without input.

Facts about DBOS 3.4 that this package rests on are named where they are used, and each has a test
in tests/engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from dbos import DBOS, DBOSClient, SetWorkflowID, WorkflowStatus
from dbos._core import WorkflowHandleAsyncTask

from lampwork import failpoint
from lampwork.connections import cut
from lampwork.engine.database import open_tables, url_of
from lampwork.engine.ownership import outside
from lampwork.engine.serializer import JsonSerializer, refuse_pickle
from lampwork.engine.tables import prepare_tables, unfinished_rows
from lampwork.place import Folder, Place, Server
from lampwork.refusals import persistently, told

EngineStatus = Literal["none", "enqueued", "pending", "cancelled", "success", "error"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands with the engine."""

    status: EngineStatus
    executor: str | None = None
    """Whose it is, while it is pending."""
    version: str | None = None
    """Of the code that may take it, while it is enqueued."""


NEVER_STARTED = Standing("none")

_QUEUE = "lampwork"

_QUEUE_INTERVAL = 1.0
"""Seconds between two looks for a job that was left to others; each costs 2 ms of CPU."""

_THREADS = {Folder: 1, Server: 4}
"""Threads for DBOS's own reads and writes. To a file one writes at a time in any case, and more of
them only contend for the interpreter: bounding them took 6.7 ms of CPU per job down to 4.4 ms.
A server commits for several at once: with four, half as many jobs again and more end in the same
time as with one, each with a quarter less of CPU; eight make no difference."""

_KEEP_ALL_CALLS = 2**30

_execute: Callable[[str], Awaitable[str]] | None = None


@DBOS.workflow(name="execute_job", max_recovery_attempts=None)
async def _execute_job() -> str:
    """The one registered workflow. It takes no argument: the job's row says what to run.

    It returns the envelope of the job's outcome, which DBOS records for the owner alone.
    """
    job_id, execute = DBOS.workflow_id, _execute
    assert job_id is not None
    assert execute is not None
    return await execute(job_id)


class Engine:
    """The engine of this process; DBOS allows one at a time."""

    def __init__(self, place: Place, *, version: str) -> None:
        """Open the tables; blocks. Raises DatabaseBehind, DatabaseNotWritable, StoreUnavailable."""
        self._place = place
        self._version = version
        self._url = url_of(place)
        self._database = open_tables(place)
        self._threads = ThreadPoolExecutor(_THREADS[type(place)], "lampwork-engine")
        refuse_pickle()
        try:
            with told(place):
                persistently(lambda: prepare_tables(place))
                persistently(self._register_queue)
        except BaseException:
            self._database.dispose()
            raise

    def launch(self, execute: Callable[[str], Awaitable[str]], *, executor_id: str) -> None:
        """Start, on the running event loop: DBOS adopts it for all jobs.

        Raises StoreUnavailable.
        """
        global _execute
        _execute = execute
        # DBOS makes its pool the loop's default one when it is first asked for something. What it
        # hands out before would be lost to the pool of its last life, which is shut down.
        asyncio.get_running_loop().set_default_executor(self._threads)
        with told(self._place):
            persistently(lambda: self._launch(executor_id))

    def _launch(self, executor_id: str) -> None:
        DBOS(
            config={
                "name": "lampwork",
                "system_database_url": self._url,
                "system_database_engine": self._database,
                "serializer": JsonSerializer(),
                "executor_id": executor_id,
                "application_version": self._version,
                "log_level": "CRITICAL",
                "max_executor_threads": _THREADS[type(self._place)],
                "use_listen_notify": False,  # we wait for nothing of DBOS's own
                # Nothing of ours listens there; the thread sleeps, and a close waits for it.
                "notification_listener_polling_interval_sec": 0.05,
            }
        )
        try:
            DBOS.launch()
        except BaseException:
            DBOS.destroy()
            raise

    def stop(self) -> None:
        """Stop; runs that are under way must have been ended before. Not on the event loop.

        It may be launched again, for another executor.
        """
        DBOS.destroy()

    def close(self) -> None:
        """Stop, and let go of the database. Not on the event loop."""
        self.stop()
        self._threads.shutdown(wait=False)
        self._database.dispose()

    def give_up(self) -> None:
        """Wait for no answer of a server any more, in whatever threads of DBOS's."""
        if isinstance(self._place, Server):
            cut(self._database)

    async def start(self, job_id: str) -> bool:
        """Start a job here, at once. Starting it twice is starting it once.

        Returns whether it is this that has started it: a run of it begins in a moment.
        """

        async def start() -> bool:
            with SetWorkflowID(job_id):
                started = await DBOS.start_workflow_async(_execute_job)
            return isinstance(started, WorkflowHandleAsyncTask)

        return await outside(start())

    async def status(self, job_id: str) -> EngineStatus:
        """What DBOS has on record of a job."""
        return (await self.standing(job_id)).status

    async def standing(self, job_id: str) -> Standing:
        """As `status`, with who has it."""
        found = await outside(DBOS.get_workflow_status_async(job_id))
        return NEVER_STARTED if found is None else _standing(found)

    async def outcome(self, job_id: str) -> str:
        """The envelope that was recorded when a job's run returned."""
        found = await outside(DBOS.get_workflow_status_async(job_id))
        assert found is not None
        return str(found.output)

    async def cancel(self, job_id: str) -> None:
        """Take the job from whoever runs it; a job that has ended stays as it is."""
        await outside(DBOS.cancel_workflow_async(job_id))

    async def restart(self, job_id: str) -> bool:
        """Let a cancelled job run again here, at once; whether it is this that has started it.

        Only from `cancelled` or `error`, which the caller has checked under the job's lock: what is
        on record of it goes. Should it have been taken meanwhile by another process, to which this
        one is gone, then that one's run can record no outcome and is taken back.
        """
        await outside(DBOS.delete_workflow_async(job_id))
        failpoint.hit("wake.forgotten")
        return await self.start(job_id)

    async def requeue(self, job_id: str, version: str | None = None) -> None:
        """Let a cancelled job run again, wherever there is room.

        It is run by that version of the code, this one's if none is named.

        Only from `cancelled` or `error`, which the caller has checked under the job's lock: DBOS
        would take a workflow that has succeeded as well.
        """
        await outside(
            DBOS.rewind_workflow_async(
                job_id,
                start_step=_KEEP_ALL_CALLS,
                application_version=version or self._version,
                queue_name=_QUEUE,
            )
        )

    def reclaim(self) -> None:
        """Take every job from whoever ran it. Before the launch, when no other process runs.

        Raises StoreUnavailable.
        """
        with told(self._place), self._client() as client:
            unfinished = client.list_workflows(
                status=["PENDING", "ENQUEUED"], load_input=False, load_output=False
            )
            client.cancel_workflows([each.workflow_id for each in unfinished])

    async def standings(self, job_ids: list[str]) -> dict[str, Standing]:
        """How several jobs stand; those that DBOS does not know are left out."""
        found = await outside(
            DBOS.list_workflows_async(workflow_ids=job_ids, load_input=False, load_output=False)
        )
        return {each.workflow_id: _standing(each) for each in found}

    async def unfinished(self, elsewhere: Mapping[str, str]) -> list[str]:
        """Jobs that run or are to run, as DBOS has it, but for those that others see to.

        `elsewhere` names the executors who do, each with the version of its code. Raises
        StoreUnavailable.
        """

        def ask() -> list[str]:
            with told(self._place):
                return persistently(lambda: unfinished_rows(self._database, elsewhere))

        # Of its own: users' functions may have taken all others for as long as they like.
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    def _register_queue(self) -> None:
        # Before the launch: DBOS looks for new queues once a second, and a job that was parked
        # in the first second of a folder's life would wait for that.
        with self._client() as client:
            client.register_queue(
                _QUEUE, polling_interval_sec=_QUEUE_INTERVAL, on_conflict="always_update"
            )

    @contextmanager
    def _client(self) -> Generator[DBOSClient]:
        client = DBOSClient(
            system_database_engine=self._database,
            serializer=JsonSerializer(),
            application_name="lampwork",
        )
        try:
            yield client
        finally:
            client.destroy()


def _standing(found: WorkflowStatus) -> Standing:
    return Standing(_status(found.status), found.executor_id, found.app_version)


def _status(status: str) -> EngineStatus:
    match status:
        case "ENQUEUED" | "DELAYED":
            return "enqueued"
        case "PENDING":
            return "pending"
        case "CANCELLED":
            return "cancelled"
        case "SUCCESS":
            return "success"
        case _:
            return "error"
