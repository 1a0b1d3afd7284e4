"""Jobs below jobs: parked, hot, cancelled together, and found again by whoever waits for them."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.support import (
    Gate,
    armed,
    clerk,
    drained,
    dying,
    end_run,
    eventually,
    idle,
    inside,
    opened,
    park,
    result,
    row,
    rows,
    status,
)

from lampwork import Job
from lampwork.errors import JobFailed

begun: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_begun() -> None:
    begun.clear()


@pytest.fixture
def patient(project):
    @project.recipe()
    async def patient(job: Job, name: str) -> str:
        """Wait until it goes on."""
        return name + await job.wait_for("go", str)

    return patient


async def test_a_cancelled_tree_ends_as_a_whole_parked_and_hot(project, home, patient):
    """*Cancel in the middle of a delegation tree*: "no new intents, a grace period, then
    cancelled; unresolved effects named". One branch is parked with its own child parked, one waits
    hot, one executes."""
    gate = threading.Event()

    def work() -> None:
        begun.append("work")
        gate.wait(60)

    @project.recipe()
    async def above(job: Job) -> str:
        return await job.call(patient, "below")

    @project.recipe()
    async def busy(job: Job) -> None:
        await job.step(work)
        await job.step(begun.append, "after the cancel")

    @project.recipe()
    async def root(job: Job) -> None:
        await job.gather(job.call(above), job.call(patient, "hot"), job.call(busy))

    async with opened(project, home, grace=0.05) as app:
        job_id = (await app.start(root)).job_id
        await eventually(lambda: begun)
        await park(app, f"{job_id}.1")
        await park(app, f"{job_id}.1.1")
        await idle(app, f"{job_id}.2")
        await park(app, job_id)
        await app.cancel(job_id)
        for each in (job_id, f"{job_id}.1", f"{job_id}.1.1", f"{job_id}.2", f"{job_id}.3"):
            await status(app, each, "cancelled")
        gate.set()
        with pytest.raises(JobFailed, match=r"while step .*work had not ended") as failed:
            await result(app, f"{job_id}.3")
        assert len(failed.value.error["fields"]["unresolved"]) == 1
        await eventually(lambda: not app.worker.runs)
        assert begun == ["work"]
        tree = [row[0] for row in await rows(app, "select id from jobs")]

        async def all_cancelled() -> bool:
            standings = await inside(app, app.worker.engine.standings(tree))
            return {each.status for each in standings.values()} == {"cancelled"}

        await eventually(all_cancelled)


async def test_a_child_that_is_cancelled_alone_fails_its_parents_call(project, home, patient):
    """The parent is parked and hears of it as of any other end."""

    @project.recipe()
    async def parent(job: Job) -> str:
        try:
            return await job.call(patient, "child")
        except JobFailed as failed:
            return failed.job_status

    async with opened(project, home) as app:
        job_id = (await app.start(parent)).job_id
        await park(app, job_id)
        await app.cancel(f"{job_id}.1")
        assert await result(app, job_id) == "cancelled"


@pytest.mark.parametrize("at", ["child.created", "wait.opened", "wait.answered", "call.after"])
async def test_a_parent_that_dies_around_its_child_finds_the_same_child_again(project, home, at):
    """ "A child job is a workflow of its own with an id derived from its parent's and the call's
    number; starting it twice is starting it once." """

    def work() -> str:
        begun.append("work")
        return "well"

    @project.recipe()
    async def child(job: Job) -> str:
        return await job.step(work)

    @project.recipe()
    async def parent(job: Job) -> str:
        return await job.call(child)

    async with opened(project, home) as app:
        died: list[str] = []

        def die_in_parent() -> None:
            parent_id = next(id for id in app.worker.runs if "." not in id)
            here = asyncio.current_task() is app.worker.runs[parent_id].main
            if here and not died:
                died.append(parent_id)
                dying(app, parent_id)()

        with armed(at, die_in_parent):
            job_id = (await app.start(parent)).job_id
            assert await result(app, job_id) == "well"
        assert died == [job_id]
        assert begun == ["work"]
        assert await rows(app, "select count(*) from jobs") == [(2,)]


async def test_a_task_under_a_gather_goes_on_when_its_recipe_skill_has_ended(
    project, home, patient
):
    """ "An answered pure wait wakes the job when all its siblings are answered or a task among them
    can move." The task's sibling is a wait that nobody answers."""
    genie = clerk(project, project.recipe(name="sub")(_waits), name="delegating")

    @project.recipe()
    async def both(job: Job) -> None:
        await job.gather(job.assign_task(genie, "Do."), job.wait_for("never"))

    async with opened(project, home) as app:
        job_id = (await app.start(both)).job_id
        await park(app, job_id)
        ((child,),) = await rows(app, "select id from jobs where parent_id is not null")
        await park(app, child)
        await app.send_event(child, "go", "well")
        await status(app, child, "succeeded")

        async def answered() -> bool:
            return await rows(app, "select status from tasks") == [("answered",)]

        await eventually(answered, "the task did not move")
        await park(app, job_id)


async def _waits(job: Job) -> str:
    """Wait."""
    return await job.wait_for("go", str)


@pytest.mark.parametrize("what", ["skill calls", "gather"])
async def test_a_run_rests_only_when_all_that_goes_on_side_by_side_does(
    project, home, what, monkeypatch
):
    """While branches have yet to begin, or have just ended, nothing of the run executes but it goes
    on: let go of then, it stands at the other wait alone, and nothing else wakes it."""
    genie = clerk(project, project.skill()(_look))

    @project.recipe()
    async def both(job: Job) -> None:
        beside = job.gather(job.step(_look)) if what == "gather" else job.assign_task(genie, "Do.")
        await job.gather(beside, job.wait_for("go"))

    rested: list[list[str]] = []
    async with opened(project, home) as app:
        monkeypatch.setattr(
            app.worker.parking, "became_idle", lambda run: rested.append(list(run.waiting_for))
        )
        job_id = (await app.start(both)).job_id
        (awaited,) = (await idle(app, job_id)).waiting_for
        assert begun == ["look"]
        await app.send_event(job_id, "go", None)
        await result(app, job_id)
    assert rested == [[awaited]]


def _look() -> str:
    """Look."""
    begun.append("look")
    return "seen"


async def test_a_parent_that_ended_leaves_its_detached_children_alone(project, home, patient):
    """`start` does not wait: the cancel of its parent is not its own."""
    gate = Gate()

    @project.recipe()
    async def parent(job: Job) -> None:
        await job.start(patient, "left ")
        await job.step(gate.hold_first)

    async with opened(project, home, grace=0) as app:
        job_id = (await app.start(parent)).job_id
        await eventually(lambda: gate.passed)
        await idle(app, f"{job_id}.1")
        await app.cancel(job_id)
        await status(app, job_id, "cancelled")
        assert (await row(app, f"{job_id}.1")).want == "run"
        await app.send_event(f"{job_id}.1", "go", "alone")
        assert await result(app, f"{job_id}.1") == "left alone"


async def test_depth_three_with_room_for_one_parks_its_way_through(project, home):
    """*Parent and children, depth 3, one slot*: no deadlock: who only waits makes room."""

    @project.recipe()
    async def down(job: Job, depth: int) -> int:
        return 1 + (await job.call(down, depth - 1) if depth else 0)

    async with opened(project, home, max_live=1, sweep_interval=0.1) as app:
        job_id = (await app.start(down, depth=3)).job_id
        assert await result(app, job_id) == 4


async def test_jobs_that_only_wait_make_room_for_those_that_were_accepted(project, home, patient):
    """Eight places, eight jobs that wait in them hot, and eight that come after."""

    @project.recipe()
    async def quick(job: Job) -> str:
        return "quick"

    async with opened(project, home, max_live=8) as app:
        waiting = [(await app.start(patient, name="a")).job_id for _ in range(8)]
        for job_id in waiting:
            await idle(app, job_id)
        after = [(await app.start(quick)).job_id for _ in range(8)]
        for job_id in after:
            assert await result(app, job_id) == "quick"


async def test_a_cancelled_delegation_ends_at_all_depths_and_names_what_nobody_knows(project, home):
    """*Cancel in the middle of a delegation tree*, three genies deep. The one at the bottom pays,
    and does not come back within the grace; another bank has hung up on the one in the middle."""
    gate = threading.Event()
    root = three_deep(project, gate)

    async with opened(project, home, grace=0.05) as app:
        job_id = (await app.start(root)).job_id
        await eventually(lambda: len(begun) == 4)
        await eventually(lambda: unknown(app), "nobody was asked about the wire")
        await eventually(lambda: noted(app), "what was noted is on no record")
        mid, low = f"{job_id}.1.2.0", f"{job_id}.1.2.0.1.2.0"
        before = await rows(app, "select count(*) from entries")
        await app.cancel(job_id)
        for each in (job_id, mid, low):
            await status(app, each, "cancelled")
        with pytest.raises(JobFailed) as failed:
            await result(app, job_id)
        gate.set()
        await drained(app)
        error = failed.value.error
        wired, paid = f"t{mid[1:]}.1", f"t{low[1:]}.1"
        assert error["fields"]["effects"] == [
            {"task": wired, "skill": "wire", "arguments": {}, "key": f"{wired}.2.1"},
            {"task": paid, "skill": "pay", "arguments": {}, "key": f"{paid}.2.0"},
        ]
        assert error["message"].endswith(
            f"Nobody knows whether this happened: wire ({wired}.2.1), pay ({paid}.2.0)"
        )
        assert await rows(app, "select distinct status from tasks") == [("cancelled",)]
        ended = await rows(app, "select id from jobs order by ended_at")
        assert [each for (each,) in ended] == [low, mid, job_id]
        assert await rows(app, "select count(*) from entries") == before
        assert await rows(app, "select count(*) from conversations where holder is not null") == [
            (0,)
        ]
    assert sorted(begun) == ["look", "note", "pay", "wire"]


def three_deep(project, gate):
    """A recipe whose genie delegates to one that delegates to one that pays."""

    @project.skill()
    def pay() -> str:
        """Pay."""
        begun.append("pay")
        gate.wait(60)
        return "paid"

    @project.skill()
    def wire() -> str:
        """Wire."""
        begun.append("wire")
        raise ConnectionError("the bank hung up")

    @project.skill(effect="read")
    def look() -> str:
        """Look."""
        begun.append("look")
        gate.wait(60)
        return "seen"

    @project.skill(effect="idempotent")
    def note() -> str:
        """Note it."""
        begun.append("note")
        return "noted"

    bottom = clerk(project, pay, look, note, name="bottom")

    @project.recipe()
    async def ask_bottom(job: Job) -> str:
        return (await job.assign_task(bottom, "Pay.")).output

    middle = clerk(project, ask_bottom, wire, name="middle")

    @project.recipe()
    async def ask_middle(job: Job) -> str:
        return (await job.assign_task(middle, "Pay.")).output

    top = clerk(project, ask_middle, name="top")

    @project.recipe()
    async def root(job: Job) -> str:
        return (await job.assign_task(top, "Pay.")).output

    return root


async def noted(app):
    return await rows(app, "select 1 from entries where kind = 'result'")


async def unknown(app):
    return await rows(app, "select 1 from waits where kind = 'resolution' and not answered")


async def test_a_parked_child_is_woken_while_its_parent_which_goes_on_hands_it_out_again(
    project, home, patient, monkeypatch: pytest.MonkeyPatch
):
    """*Who woke it found it about to run, and left it; the engine, asked to start what had been
    cancelled, did not*: it waited for the next sweep with its answer."""

    @project.recipe()
    async def parent(job: Job) -> str:
        return await job.call(patient, "went on: ")

    async with opened(project, home) as app:
        job_id = (await app.start(parent)).job_id
        child = f"{job_id}.1"
        await status(app, child, "running", "suspended")
        await park(app, child)
        gate, engine, start = Gate(), app.worker.engine, app.worker.engine.start

        async def start_late(each: str) -> bool:
            if each == child:
                await gate.hold_first()
            return await start(each)

        monkeypatch.setattr(engine, "start", start_late)
        await end_run(app, job_id)
        await eventually(lambda: gate.passed)
        await app.send_event(child, "go", "hello")
        await inside(app, app.worker.waking.wake(child))  # after who wakes it for the event
        assert (await row(app, child)).want == "parked"
        gate.open()
        assert await result(app, job_id) == "went on: hello"


async def test_a_parked_child_takes_no_place_as_its_parent_hands_it_out_again(project, home):
    """*After a restart it had one of its recipe's places again, and waited: no other got on.*"""

    @project.recipe(concurrency=1)
    async def narrow(job: Job) -> str:
        return await job.wait_for("go", str)

    @project.recipe()
    async def parent(job: Job) -> str:
        return await job.call(narrow)

    async with opened(project, home) as app:
        job_id = (await app.start(parent)).job_id
        child = f"{job_id}.1"

        async def parked() -> bool:  # it may be shown that it waits before it is
            return (await row(app, child)).want == "parked"

        await status(app, child, "suspended")
        await eventually(parked, "it was not parked")
    async with opened(project, home) as app:
        await idle(app, job_id)
        await eventually(lambda: not app.worker.at_work)
        assert await rows(app, "select count(*) from places where held") == [(0,)]
        other = (await app.start(narrow)).job_id
        await app.send_event(other, "go", "other")
        assert await result(app, other) == "other"
        await app.send_event(child, "go", "hello")
        assert await result(app, job_id) == "hello"
