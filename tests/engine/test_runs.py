"""What DBOS 3.4 does with the runs of a job, as far as Lampwork rests on it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest
from tests.support import eventually

from lampwork.engine import Deposed, prove_ownership
from lampwork.engine.ownership import outside

pytestmark = pytest.mark.usefixtures("place")


class Over(BaseException):
    """As RunEnded is: the end of a run that is not the end of its job."""


async def one() -> str:
    return '{"value":1}'


async def two() -> str:
    return '{"value":2}'


async def test_starting_a_job_twice_is_starting_it_once(launched):
    begun: list[str] = []

    async def execute(job_id: str) -> str:
        begun.append(job_id)
        return await one()

    async with launched(execute) as engine:
        await asyncio.gather(engine.start("j1"), engine.start("j1"))
        await engine.comes_to("j1", "success")
        await engine.start("j1")
        await engine.start("j2")
        await engine.comes_to("j2", "success")
    assert begun == ["j1", "j2"]


async def test_what_a_run_returns_is_on_record_as_the_jobs_outcome(launched):
    async def execute(job_id: str) -> str:
        return f'{{"value":"of {job_id}, ü"}}'

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.comes_to("j1", "success")
    async with launched(execute, executor_id="two") as engine:
        assert await engine.call(engine.engine.outcome("j1")) == '{"value":"of j1, ü"}'


async def test_a_run_that_ends_by_a_base_exception_has_no_outcome(launched):
    runs: list[asyncio.Task] = []

    async def execute(job_id: str) -> str:
        runs.append(asyncio.current_task())
        raise Over

    async with launched(execute) as engine:
        await engine.start("j1")
        await eventually(lambda: runs and runs[0].done())
        assert isinstance(runs[0].exception(), Over)
        assert await engine.status("j1") == "pending"
        assert len(runs) == 1


@pytest.mark.parametrize("how", ["restart", "requeue"])
async def test_a_job_that_was_cancelled_runs_again(launched, how):
    runs: list[str] = []
    reached, never = asyncio.Event(), asyncio.Event()

    async def execute(job_id: str) -> str:
        runs.append(job_id)
        if len(runs) == 1:
            reached.set()
            await never.wait()
        return await two()

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(reached)
        await engine.call(engine.engine.cancel("j1"))
        assert await engine.status("j1") == "cancelled"
        await engine.call(getattr(engine.engine, how)("j1"))
        await engine.comes_to("j1", "success")
        assert runs == ["j1", "j1"]
        assert await engine.call(engine.engine.outcome("j1")) == await two()


@pytest.mark.parametrize("successor", [None, "restart", "requeue"])
async def test_a_run_that_lost_its_job_can_not_prove_that_it_owns_it(launched, successor):
    """Each run can as long as it does, however often others of the job have: a proof leaves no
    record, from which DBOS would answer the next one without asking."""
    said: list[str] = []
    entered = [asyncio.Event(), asyncio.Event()]
    go_on = [asyncio.Event(), asyncio.Event()]
    runs: list[asyncio.Task] = []

    async def proven(who: int) -> bool:
        try:
            await prove_ownership()
        except Deposed:
            said.append(f"{who} does not")
            return False
        said.append(f"{who} does")
        return True

    async def execute(job_id: str) -> str:
        me = len(runs)
        runs.append(asyncio.current_task())
        await proven(me)
        entered[me].set()
        await go_on[me].wait()
        if not await proven(me):
            raise Over
        return await one()

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(entered[0])
        await engine.call(engine.engine.cancel("j1"))
        if successor:
            await engine.call(getattr(engine.engine, successor)("j1"))
            await engine.reaches(entered[1])
        engine.set(go_on[0])
        await eventually(lambda: runs[0].done())
        assert said == ["0 does", *(["1 does"] if successor else []), "0 does not"]
        if successor:
            engine.set(go_on[1])
            await engine.comes_to("j1", "success")
            assert said[-1] == "1 does"


async def test_a_run_that_lost_its_job_can_record_no_outcome(launched):
    entered, go_on = asyncio.Event(), asyncio.Event()
    runs: list[asyncio.Task] = []

    async def execute(job_id: str) -> str:
        runs.append(asyncio.current_task())
        if len(runs) == 1:
            entered.set()
            await go_on.wait()
            return await one()
        return await two()

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(entered)
        await engine.call(engine.engine.cancel("j1"))
        engine.set(go_on)
        await eventually(lambda: runs[0].done())
        assert await engine.status("j1") == "cancelled"
        await engine.call(engine.engine.restart("j1"))
        await engine.comes_to("j1", "success")
        assert await engine.call(engine.engine.outcome("j1")) == await two()


async def test_a_job_that_runs_is_not_requeued(launched):
    entered, go_on = asyncio.Event(), asyncio.Event()
    begun: list[str] = []

    async def execute(job_id: str) -> str:
        begun.append(job_id)
        entered.set()
        await go_on.wait()
        return await one()

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(entered)
        with pytest.raises(Exception, match="only a workflow in a terminal state"):
            await engine.call(engine.engine.requeue("j1"))
        assert await engine.status("j1") == "pending"
        engine.set(go_on)
        await engine.comes_to("j1", "success")
    assert begun == ["j1"]


async def test_a_job_that_has_succeeded_would_be_requeued_so_ask_first(launched):
    begun: list[str] = []

    async def execute(job_id: str) -> str:
        begun.append(job_id)
        return await one()

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.comes_to("j1", "success")
        await engine.call(engine.engine.requeue("j1"))
        await eventually(lambda: len(begun) == 2)
        await engine.comes_to("j1", "success")


async def test_cancelling_leaves_a_job_that_has_ended_as_it_is(launched):
    async def execute(job_id: str) -> str:
        return await one()

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.comes_to("j1", "success")
        await engine.call(engine.engine.cancel("j1"))
        assert await engine.status("j1") == "success"


@pytest.mark.folder
async def test_a_new_process_takes_every_unfinished_job(launched, home):
    """Started here or waiting in the queue: a dead process's jobs are taken; ended ones stay."""
    entered: list[str] = []
    never = asyncio.Event()

    async def execute(job_id: str) -> str:
        if job_id != "ended":
            entered.append(job_id)
            await never.wait()
        return await one()

    async with launched(execute) as engine:
        for job_id in ("running", "queued", "ended"):
            await engine.start(job_id)
        await engine.comes_to("ended", "success")
        await eventually(lambda: len(entered) == 2)
    with closing(sqlite3.connect(home / "engine.db")) as connection:
        connection.execute(
            "update workflow_status set status = 'ENQUEUED', queue_name = 'lampwork', "
            "owner_xid = null where workflow_uuid = 'queued'"
        )
        connection.commit()

    async def again(job_id: str) -> str:
        entered.append(f"{job_id} again")
        return await two()

    async with launched(again, executor_id="two", reclaim=True) as engine:
        found = await engine.statuses("running", "queued", "ended", "none")
        assert found == {"running": "cancelled", "queued": "cancelled", "ended": "success"}
        await engine.call(engine.engine.restart("running"))
        await engine.comes_to("running", "success")
        assert await engine.status("queued") == "cancelled"
        assert await engine.status("none") == "none"
    assert sorted(entered) == ["queued", "running", "running again"]


async def test_what_is_asked_of_the_engine_inside_a_run_is_no_part_of_it(launched):
    """A job that is started there is nobody's child, and the run proves what it is after that."""
    ask = None

    async def execute(job_id: str) -> str:
        if job_id == "j1":
            await prove_ownership()
            await ask("started inside")
            await prove_ownership()
        return await one()

    async with launched(execute) as engine:

        async def ask(job_id: str) -> None:
            await engine.engine.start(job_id)
            await engine.engine.status(job_id)
            await engine.engine.cancel("nobody")

        await engine.start("j1")
        await engine.comes_to("j1", "success")
        await engine.comes_to("started inside", "success")


async def test_a_call_from_outside_returns_what_it_gives_and_raises_what_it_raises(launched):
    async def execute(job_id: str) -> str:
        return await outside(one())

    async def refuses() -> None:
        raise LookupError("not here")

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.comes_to("j1", "success")
        assert await engine.call(engine.engine.outcome("j1")) == await one()
        with pytest.raises(LookupError, match="not here"):
            await engine.call(outside(refuses()))
