"""Retry, rerun and fork: new jobs that keep a part of what another one did, shown beforehand."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import datetime

import pytest
from tests.support import eventually, park, rows

from lampwork import App, Job, Project
from lampwork.errors import BranchesFailed, CopyRefused, InputInvalid, JobFailed, StepFailed
from lampwork.insights import Insights
from lampwork.views import CopyPlan, EffectCount, PlannedCall

from .conftest import Open

project = Project("copies")

broken: set[str] = set()
"""What fails for now."""

keys: list[tuple[str, str]] = []
"""What happened, and under which key."""

release = threading.Event()
"""Lets a job end that is held."""


@pytest.fixture(autouse=True)
def _as_new() -> None:
    broken.clear()
    keys.clear()
    release.clear()


def happened() -> Counter[str]:
    return Counter(what for what, _ in keys)


async def act(job: Job, what: str) -> str:
    keys.append((what, job.step_key()))
    if what in broken:
        raise ConnectionError(f"no {what}")
    return what.upper()


async def failed(app: App, job_id: str) -> None:
    with pytest.raises(JobFailed):
        await app.result(job_id)


def numbers(calls: tuple[PlannedCall, ...]) -> list[int]:
    return [call.number for call in calls]


# --- retry ---


@project.recipe()
async def in_turn(job: Job) -> str:
    fetched = await job.step(act, job, "fetch")
    charged = await job.options(name="charge").step(act, job, "charge")
    return f"{fetched} {charged} {await job.step(act, job, 'mail')}"


async def test_a_retry_keeps_what_succeeded_and_does_the_failed_call_under_a_new_key(
    opened: Open,
) -> None:
    async with opened(project) as app:
        broken.add("charge")
        original = await app.start(in_turn)
        await failed(app, original)
        broken.clear()
        retry = await app.retry(original)
        assert await app.result(retry) == "FETCH CHARGE MAIL"
        assert keys == [
            ("fetch", f"{original}.1"),
            ("charge", f"{original}.2"),
            ("charge", f"{retry}.2"),
            ("mail", f"{retry}.3"),
        ]
        insights = Insights(app.store)
        old, new = await insights.job(original), await insights.job(retry)
        assert (old.status, [each.job_id for each in old.copies]) == ("failed", [retry])
        assert (new.retry_of, new.rerun_of, new.fork_of) == (original, None, None)
        assert [call.kept_from for call in new.calls] == [original, None, None]


async def test_a_plan_names_what_is_kept_and_what_will_happen_again(opened: Open) -> None:
    async with opened(project) as app:
        broken.add("charge")
        original = await app.start(in_turn)
        await failed(app, original)
        assert await app.plan_retry(original) == CopyPlan(
            kind="retry",
            original=original,
            recipe="in_turn",
            status="failed",
            at=None,
            kept=(PlannedCall(number=1, kind="step", name="act", came_of="succeeded"),),
            again=(
                PlannedCall(
                    number=2,
                    kind="step",
                    name="charge",
                    came_of="failed",
                    effects=(EffectCount(what="step charge", effect="idempotent", failed=1),),
                ),
            ),
            copies=(),
            events=(),
            notes=(),
        )
        assert len(keys) == 2


@project.recipe()
async def side_by_side(job: Job) -> str:
    done = await job.gather(*[job.step(act, job, what) for what in ("a", "b", "c")])
    return "".join(done)


async def test_a_retry_keeps_the_siblings_of_a_failed_branch(opened: Open) -> None:
    async with opened(project) as app:
        broken.add("b")
        original = await app.start(side_by_side)
        await failed(app, original)
        plan = await app.plan_retry(original)
        assert (numbers(plan.kept), numbers(plan.again)) == ([1, 3], [2])
        broken.clear()
        assert await app.result(await app.copy(plan)) == "ABC"
        assert happened() == {"a": 1, "b": 2, "c": 1}


@project.recipe()
async def with_a_plan_b(job: Job) -> str:
    try:
        return await job.step(act, job, "first choice")
    except StepFailed:
        await job.step(act, job, "note")
        return await job.step(act, job, "second choice")


async def test_a_failure_that_was_caught_is_kept_and_the_later_one_is_done_again(
    opened: Open,
) -> None:
    async with opened(project) as app:
        broken.update(["first choice", "second choice"])
        original = await app.start(with_a_plan_b)
        await failed(app, original)
        plan = await app.plan_retry(original)
        assert [(call.number, call.came_of) for call in plan.kept] == [
            (1, "failed"),
            (2, "succeeded"),
        ]
        assert numbers(plan.again) == [3]
        broken.clear()
        assert await app.result(await app.copy(plan)) == "SECOND CHOICE"
        assert happened() == {"first choice": 1, "note": 1, "second choice": 2}


class OrderFailed(Exception):
    pass


@project.recipe()
async def undoing(job: Job) -> str:
    await job.step(act, job, "reserve")
    try:
        await job.step(act, job, "charge")
    except StepFailed as error:
        await job.step(act, job, "release")
        raise OrderFailed("no money") from error
    return await job.step(act, job, "ship")


async def test_what_was_made_after_the_failure_was_known_is_not_kept(opened: Open) -> None:
    """The recipe raised an error of its own, from that of `charge`, after it had undone something:
    once `charge` succeeds, the call that comes next is another one."""
    async with opened(project) as app:
        broken.add("charge")
        original = await app.start(undoing)
        await failed(app, original)
        plan = await app.plan_retry(original)
        assert (numbers(plan.kept), numbers(plan.again)) == ([1], [2, 3])
        broken.clear()
        assert await app.result(await app.copy(plan)) == "SHIP"
        assert happened() == {"reserve": 1, "charge": 2, "release": 1, "ship": 1}


async def send(job: Job, item: int) -> int:
    await job.options(effect="at_most_once", name=f"send {item}").step(act, job, f"{item}")
    return item


@project.recipe()
async def send_all(job: Job, collect: bool) -> list[int]:
    if not collect:
        return await job.map(send, [1, 2, 3])
    results = await job.map(send, [1, 2, 3], on_error="collect")
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


@pytest.mark.parametrize("collect", [False, True], ids=["raised", "collected"])
async def test_the_items_of_a_map_that_is_done_again_start_anew(
    opened: Open, collect: bool
) -> None:
    async with opened(project) as app:
        broken.add("2")
        original = await app.start(send_all, collect=collect)
        (wait,) = await eventually(lambda: waits(app))
        await app.resolve(wait, "fail", by="ann")
        await failed(app, original)
        plan = await app.plan_retry(original)
        [call] = plan.again
        assert (call.kind, call.came_of, call.jobs, call.jobs_succeeded) == ("map", "failed", 3, 2)
        assert plan.repeated == (
            EffectCount(what="step send 1", effect="at_most_once", happened=1),
            EffectCount(what="step send 2", effect="at_most_once", failed=1),
            EffectCount(what="step send 3", effect="at_most_once", happened=1),
        )
        broken.clear()
        retry = await app.copy(plan)
        assert await app.result(retry) == [1, 2, 3]
        assert [key for what, key in keys if what == "1"] == [f"{original}.1.0.1", f"{retry}.1.0.1"]


async def waits(app: App) -> list[str]:
    jobs = await Insights(app.store).jobs()
    return [
        wait.wait_id or ""
        for job in jobs.items
        for wait in job.waiting_on
        if wait.kind == "resolution"
    ]


mended = False


@project.recipe()
async def with_a_bug(job: Job) -> str:
    found = await job.step(act, job, "fetch")
    if not mended:
        raise KeyError("a bug")
    return found


async def test_a_job_whose_recipe_raised_goes_on_after_all_that_it_had_recorded(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(project) as app:
        original = await app.start(with_a_bug)
        await failed(app, original)
        plan = await app.plan_retry(original)
        assert (numbers(plan.kept), numbers(plan.again)) == ([1], [])
        assert "No call failed it" in plan.notes[0]
        monkeypatch.setitem(globals(), "mended", True)
        assert await app.result(await app.copy(plan)) == "FETCH"
        assert happened() == {"fetch": 1}


@project.recipe()
async def interrupted(job: Job) -> str:
    await job.step(act, job, "fetch")
    go = job.wait_for("go", str)
    done = await job.gather(go, job.step(act, job, "prepare"))
    return " ".join(done)


async def test_a_cancelled_job_is_retried_from_where_it_stood_and_gets_the_events_it_had(
    opened: Open,
) -> None:
    async with opened(project) as app:
        original = await app.start(interrupted)
        await park(app, original)
        await app.send_event(original, "other", "early")
        await app.cancel(original)
        await failed(app, original)
        plan = await app.plan_retry(original)
        assert (numbers(plan.kept), numbers(plan.again)) == ([1, 3], [2])
        assert (plan.again[0].came_of, len(plan.events)) == ("open", 1)
        retry = await app.copy(plan)
        await park(app, retry)
        await app.send_event(retry, "go", "now")
        assert await app.result(retry) == "now PREPARE"
        assert happened() == {"fetch": 1, "prepare": 1}


@project.recipe()
async def takes_events(job: Job) -> str:
    await job.wait_for("start")
    first = await job.wait_for("word", str)
    await job.step(act, job, "use")
    return f"{first} {await job.wait_for('word', str)}"


async def test_events_that_were_not_used_go_along_in_their_order(opened: Open) -> None:
    async with opened(project) as app:
        broken.add("use")
        original = await app.start(takes_events)
        for name, value in (("word", "one"), ("word", "two"), ("start", None)):
            await app.send_event(original, name, value)
        await failed(app, original)
        broken.clear()
        assert await app.result(await app.retry(original)) == "one two"
        # A fork at a wait waits anew: what the original had got there is not given again.
        fork = await app.fork(original, at=2)
        await app.send_event(fork, "word", "three")
        assert await app.result(fork) == "two three"


@project.recipe()
async def needs_two(job: Job) -> str:
    return "".join(await job.gather(job.wait_for("a", str), job.wait_for("b", str)))


async def test_an_event_that_had_reached_its_wait_but_not_the_record_goes_along(
    opened: Open,
) -> None:
    """A parked job is not woken for the first of two events, and is cancelled then."""
    async with opened(project) as app:
        original = await app.start(needs_two)
        await park(app, original)
        await app.send_event(original, "a", "A")
        await app.cancel(original)
        await failed(app, original)
        retry = await app.retry(original)
        await app.send_event(retry, "b", "B")
        assert await app.result(retry) == "AB"


# --- rerun and fork ---


@project.recipe()
async def dated(job: Job, name: str) -> tuple[str, datetime, str]:
    job.on_end(close, name)
    await job.step(act, job, "print")
    return name, job.trigger.at, job.trigger.kind


def close(name: str) -> None:
    keys.append((f"close {name}", ""))


async def test_a_rerun_keeps_nothing_but_the_input_and_the_trigger(opened: Open) -> None:
    async with opened(project) as app:
        original = await app.start(dated, name="ada")
        first = await app.result(original)
        await eventually(lambda: happened()["close ada"] == 1)
        plan = await app.plan_rerun(original)
        assert plan.kept == ()
        assert [(call.number, call.kind, call.name) for call in plan.again] == [
            (1, "step", "act"),
            (0, "on_end", f"{__name__}:close"),
        ]
        rerun = await app.copy(plan)
        assert await app.result(rerun) == first
        await eventually(lambda: happened() == {"print": 2, "close ada": 2})
        assert (await Insights(app.store).job(rerun)).rerun_of == original


@project.recipe()
async def counting(job: Job) -> list[float]:
    return [await job.random() for _ in range(4)]


async def test_a_fork_keeps_the_calls_before_the_one_it_is_made_at(opened: Open) -> None:
    async with opened(project) as app:
        original = await app.start(counting)
        drawn = await app.result(original)
        fork = await app.fork(original, at=3)
        anew = await app.result(fork)
        assert anew[:2] == drawn[:2]
        assert set(anew[2:]).isdisjoint(drawn)
        job = await Insights(app.store).job(fork)
        assert (job.fork_of, job.forked_at) == (original, 3)


async def test_a_copy_of_a_copy_keeps_what_any_of_them_had_recorded(opened: Open) -> None:
    async with opened(project) as app:
        original = await app.start(counting)
        drawn = await app.result(original)
        second = await app.fork(original, at=2)
        drawn_again = await app.result(second)
        third = await app.fork(second, at=4)
        last = await app.result(third)
        assert last[:3] == [drawn[0], *drawn_again[1:3]]
        assert last[3] not in (*drawn, *drawn_again)
        calls = (await Insights(app.store).job(third)).calls
        assert [call.kept_from for call in calls] == [original, second, second, None]


async def test_a_waiting_job_may_be_forked_and_goes_on_beside_its_copy(opened: Open) -> None:
    async with opened(project) as app:
        original = await app.start(interrupted)
        await park(app, original)
        plan = await app.plan_fork(original, at=2)
        assert "goes on beside its copy" in plan.notes[0]
        fork = await app.copy(plan)
        for each in (original, fork):
            await app.send_event(each, "go", "now")
            assert await app.result(each) == "now PREPARE"
        assert happened() == {"fetch": 1, "prepare": 2}


async def test_a_copy_survives_restarts_and_keeps_what_it_kept(opened: Open) -> None:
    async with opened(project) as app:
        original = await app.start(interrupted)
        await park(app, original)
        await app.cancel(original)
        await failed(app, original)
        retry = await app.retry(original)
        await park(app, retry)
    async with opened(project) as app:
        await app.send_event(retry, "go", "later")
        assert await app.result(retry) == "later PREPARE"
        assert happened() == {"fetch": 1, "prepare": 1}


def fetch_much() -> str:
    return "much " * 100_000


@project.recipe()
async def with_much(job: Job) -> int:
    much = await job.step(fetch_much)
    await job.step(act, job, "use")
    return len(much)


async def test_what_a_copy_keeps_is_there_as_long_as_the_copy(opened: Open) -> None:
    """A large value lies beside the rows and is collected when no job names it any more."""
    async with opened(project) as app:
        broken.add("use")
        original = await app.start(with_much)
        await failed(app, original)
        broken.clear()
        retry = await app.retry(original)
        owners = await rows(app, "select owner, count(*) from blob_owners group by 1 order by 1")
        assert owners == sorted([(original, 1), (retry, 1)])
        assert await app.result(retry) == 500_000


# --- what can't be ---


@project.recipe()
async def parent(job: Job) -> str:
    return await job.call(in_turn)


async def test_copies_that_cannot_be_made_are_refused_and_say_what_to_do(opened: Open) -> None:
    async with opened(project) as app:
        done = await app.start(parent)
        await app.result(done)
        with pytest.raises(CopyRefused, match=f"lampwork job {done} fork") as caught:
            await app.fork(f"{done}.1", at=1)
        assert caught.value.root == done
        with pytest.raises(CopyRefused, match="it has succeeded"):
            await app.retry(done)
        with pytest.raises(InputInvalid, match=r"no call 7 .* Its calls: 1 call in_turn\."):
            await app.fork(done, at=7)
        waiting = await app.start(interrupted)
        await park(app, waiting)
        with pytest.raises(CopyRefused, match="it has not ended"):
            await app.retry(waiting)
        holding = await app.start(holds)
        await eventually(lambda: "held" in happened())
        with pytest.raises(CopyRefused, match="it is running"):
            await app.plan_rerun(holding)
        release.set()


@project.recipe()
async def holds(job: Job) -> None:
    await job.step(hold)


async def hold() -> None:
    keys.append(("held", ""))
    await asyncio.to_thread(release.wait)


async def test_branches_that_failed_side_by_side_are_all_done_again(opened: Open) -> None:
    async with opened(project) as app:
        broken.update("ac")
        original = await app.start(side_by_side)
        with pytest.raises(JobFailed) as caught:
            await app.result(original)
        assert caught.value.error["code"] == BranchesFailed.code
        plan = await app.plan_retry(original)
        assert (numbers(plan.kept), numbers(plan.again)) == ([2], [1, 3])
