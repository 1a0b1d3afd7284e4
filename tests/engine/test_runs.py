"""What DBOS 3.4 does with the runs of a job, as far as Lampwork rests on it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest
from tests.support import eventually

from lampwork.engine import CallsDiffer, Deposed, RecordedElsewhere, prove_ownership, reserve
from lampwork.engine.steps import outside

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


@pytest.mark.parametrize("where", ["in a call", "between calls"])
async def test_a_run_that_ends_by_a_base_exception_has_no_outcome(launched, where):
    runs: list[asyncio.Task] = []

    async def execute(job_id: str) -> str:
        runs.append(asyncio.current_task())

        async def body() -> str:
            if where == "in a call":
                raise Over
            return await one()

        await reserve().run("step a", body)
        raise Over

    async with launched(execute) as engine:
        await engine.start("j1")
        await eventually(lambda: runs and runs[0].done())
        assert isinstance(runs[0].exception(), Over)
        assert await engine.status("j1") == "pending"
        recorded = [] if where == "in a call" else [(1, "step a", await one())]
        assert await engine.calls("j1") == recorded
        assert len(runs) == 1


async def test_a_job_that_is_cancelled_and_requeued_keeps_its_recorded_calls(launched):
    bodies: list[str] = []
    reached, never = asyncio.Event(), asyncio.Event()

    async def execute(job_id: str) -> str:
        async def first() -> str:
            bodies.append("first")
            return await one()

        async def second() -> str:
            bodies.append("second")
            if bodies.count("second") == 1:
                reached.set()
                await never.wait()
            return await two()

        got = await reserve().run("step a", first)
        await reserve().run("step b", second)
        return got

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(reached)
        await engine.call(engine.engine.cancel("j1"))
        assert await engine.status("j1") == "cancelled"
        await engine.call(engine.engine.requeue("j1"))
        await engine.comes_to("j1", "success")
        assert bodies == ["first", "second", "second"]
        assert await engine.calls("j1") == [(1, "step a", await one()), (2, "step b", await two())]
        assert await engine.call(engine.engine.outcome("j1")) == await one()


async def test_numbers_that_are_never_run_leave_no_gap_that_matters(launched):
    """A copy of a job has the results of its kept calls from elsewhere: the engine never hears of
    their numbers, neither in the copy's first run nor in a later one."""
    over = asyncio.Event()

    async def execute(job_id: str) -> str:
        _kept, first, _kept_too, second = (reserve() for _ in range(4))
        await first.run("step a", one)
        if not over.is_set():
            over.set()
            await asyncio.Event().wait()
        return await second.run("step b", two)

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(over)
        await engine.runs_again("j1")
        await engine.comes_to("j1", "success")
        assert await engine.calls("j1") == [(2, "step a", await one()), (4, "step b", await two())]


@pytest.mark.parametrize("successor", [False, True], ids=["cancelled", "with a successor"])
async def test_a_run_that_lost_its_job_can_neither_prove_nor_record(launched, successor):
    refused: list[str] = []
    entered = [asyncio.Event(), asyncio.Event()]
    go_on = [asyncio.Event(), asyncio.Event()]
    runs: list[asyncio.Task] = []

    async def execute(job_id: str) -> str:
        me = len(runs)
        runs.append(asyncio.current_task())

        async def body() -> str:
            entered[me].set()
            await go_on[me].wait()
            try:
                await prove_ownership()
            except Deposed:
                refused.append(f"proof of {me}")
            return f'"{me}"'

        try:
            return await reserve().run("step a", body)
        except Deposed:
            refused.append(f"record of {me}")
            raise Over from None

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(entered[0])
        await engine.call(engine.engine.cancel("j1"))
        if successor:
            await engine.call(engine.engine.requeue("j1"))
            await engine.reaches(entered[1])
        engine.set(go_on[0])
        await eventually(lambda: runs[0].done())
        assert refused == ["proof of 0", "record of 0"]
        assert await engine.calls("j1") == []
        if successor:
            engine.set(go_on[1])
            await engine.comes_to("j1", "success")
            assert await engine.calls("j1") == [(1, "step a", '"1"')]
        assert refused == ["proof of 0", "record of 0"]


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
        await engine.call(engine.engine.requeue("j1"))
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
        await engine.call(engine.engine.requeue("running"))
        await engine.comes_to("running", "success")
        assert await engine.status("queued") == "cancelled"
        assert await engine.status("none") == "none"
    assert sorted(entered) == ["queued", "running", "running again"]


async def test_what_is_asked_of_the_engine_inside_a_run_takes_no_number(launched):
    """Not in the recipe's flow, and not inside a call; a job started there is nobody's child."""
    numbers: list[int] = []
    ask = None

    async def execute(job_id: str) -> str:
        if job_id != "j1":
            return await one()

        async def body() -> str:
            await ask("from a call")
            return await one()

        for _ in range(2):
            call = reserve()
            numbers.append(call.number)
            await call.run("step a", body)
            await ask("from the flow")
        return await one()

    async with launched(execute) as engine:

        async def ask(job_id: str) -> None:
            await engine.engine.start(job_id)
            await engine.engine.status(job_id)
            await engine.engine.recorded(job_id)
            await engine.engine.cancel("nobody")

        await engine.start("j1")
        await engine.comes_to("j1", "success")
        assert numbers == [1, 2]
        assert [number for number, _, _ in await engine.calls("j1")] == [1, 2]
        await engine.comes_to("from a call", "success")
        await engine.comes_to("from the flow", "success")


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


async def test_numbers_belong_to_the_order_of_making_not_of_doing(launched):
    async def execute(job_id: str) -> str:
        first, second = reserve(), reserve()
        got = await second.run("step b", two)
        await first.run("step a", one)
        return got

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.comes_to("j1", "success")
        assert await engine.calls("j1") == [(1, "step a", await one()), (2, "step b", await two())]


async def test_a_call_under_another_name_than_the_recorded_one_is_told_and_not_done(launched):
    entered = asyncio.Event()
    bodies: list[str] = []
    told: list[Exception] = []

    async def execute(job_id: str) -> str:
        name = "step new" if entered.is_set() else "step old"

        async def body() -> str:
            bodies.append(name)
            return await one()

        try:
            await reserve().run(name, body)
        except CallsDiffer as error:
            told.append(error)
        entered.set()
        raise Over

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.reaches(entered)
        await engine.runs_again("j1")
        await eventually(lambda: told)
        assert bodies == ["step old"]
        assert "step old" in str(told[0])
        assert "step new" in str(told[0])
        assert await engine.calls("j1") == [(1, "step old", await one())]


async def test_a_call_that_is_recorded_elsewhere_leaves_a_gap_and_its_job_goes_on(launched):
    """DBOS lets an exception that is no `Exception` out of a step unrecorded, and does not mind
    that a number is missing, on a replay either."""
    bodies: list[str] = []

    async def execute(job_id: str) -> str:
        async def elsewhere() -> str:
            bodies.append("elsewhere")
            raise RecordedElsewhere("ours")

        got = await reserve().run("step a", one)
        ours = await reserve().run("task b", elsewhere)
        last = await reserve().run("step c", two)
        return f"{got}, {ours}, {last}"

    async with launched(execute) as engine:
        await engine.start("j1")
        await engine.comes_to("j1", "success")
        assert await engine.calls("j1") == [(1, "step a", await one()), (3, "step c", await two())]
        assert bodies == ["elsewhere"]
