"""What the one read model says of jobs, tasks and conversations."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lampwork import (
    Answer,
    App,
    Call,
    Calls,
    CannotComplete,
    Job,
    Metadata,
    Project,
    Settings,
    Turn,
    playbook,
)
from lampwork.errors import ConversationNotFound, InputInvalid, JobNotFound, WaitNotFound
from lampwork.insights import Insights
from lampwork.place import Folder
from lampwork.views import to_json

project = Project("insights")

gate = threading.Event()
"""Opened by a test, for a step to go on."""

held = threading.Event()
"""Set by a step that has come to the gate."""


def hold() -> str:
    held.set()
    gate.wait(60)
    return "held"


def double(n: int) -> int:
    return 2 * n


def large() -> str:
    return "x" * 300_000


@project.skill(effect="read")
def look_up(name: str, account: Metadata[str]) -> str:
    """Look a name up."""
    return f"{name} of {account}"


@project.skill()
def transfer(amount: int) -> str:
    """Transfer money."""
    raise ConnectionError("cut off")


@project.skill(effect="idempotent")
def weigh(parcel: str) -> str:
    """Weigh a parcel."""
    raise ValueError(f"no scales for {parcel}")


@project.skill(effect="idempotent")
def keep() -> str:
    """Keep until the gate opens."""
    return hold()


@playbook
def helper(turn: Turn) -> Calls | Call | Answer | CannotComplete:
    match turn.instructions:
        case "transfer":
            done = turn.results
            return Answer(f"done: {done[-1].value}") if done else Call("transfer", amount=5)
        case "weigh":
            return Answer("no weight") if turn.results else Call("weigh", parcel="P1")
        case "hold":
            return Answer("kept") if turn.results else Call("keep")
        case "decline":
            return CannotComplete("no such thing", ["the thing"])
        case _:
            if turn.results:
                return Answer("found")
            return Calls(Call("look_up", name="A", account="EVIL"), Call("look_up", name="B"))


genie = project.genie(
    "helper", model=helper, job_description="You help.", skills=[look_up, transfer, weigh, keep]
)


async def waits(job: Job, n: int) -> int:
    return n * await job.wait_for("go", int)


@project.recipe()
async def waits_for(job: Job) -> Any:
    return await job.wait_for("go", timeout=500)


@project.recipe()
async def calls(job: Job) -> Any:
    job.log("calling")
    return await job.call(waits_for)


@project.recipe()
async def maps(job: Job, n: int, limit: int | None = None) -> list[int]:
    return await job.map(waits, list(range(n)), limit=limit)


@project.recipe()
async def steps(job: Job) -> int:
    await job.step(large)
    return await job.step(double, 4)


@project.recipe()
async def holds(job: Job) -> str:
    return await job.step(hold)


@project.recipe()
async def assigns(job: Job, instructions: str) -> str:
    answer = await job.assign_task(genie, instructions, metadata={"account": "ACC-1"})
    return answer.response


@project.recipe()
async def lines_up(job: Job) -> str:
    first = await job.assign_task(genie, "look", metadata={"account": "ACC-1"})
    goes_on = first.conversation_id
    await job.gather(*(job.assign_task(genie, "hold", conversation=goes_on) for _ in range(2)))
    return goes_on


@project.recipe()
async def starts(job: Job) -> str:
    job.on_end(tidy)
    return (await job.start(waits_for)).job_id


async def tidy(job: Job) -> None:
    await job.step(double, 1)


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[tuple[App, Insights]]:
    async with (
        project.open(settings=Settings(home=home, park_after=3600, grace=60)) as app,
        Insights.opened(Folder(home)) as insights,
    ):
        yield app, insights


async def eventually(probe: Callable[[], Awaitable[Any]]) -> Any:
    until = time.monotonic() + 60
    while not (found := await probe()):
        assert time.monotonic() < until, "it never came to that"
        await asyncio.sleep(0.005)
    return found


async def in_status(insights: Insights, job_id: str, *statuses: str) -> Any:
    async def reached() -> Any:
        try:
            view = await insights.view(job_id)
        except JobNotFound:  # a child that its parent has not started yet
            return None
        return view if view.status in statuses else None

    return await eventually(reached)


async def test_a_chain_of_children_is_told_down_to_the_event_and_until_when(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(calls)
        await in_status(insights, f"{job.job_id}.1", "suspended")
        view = await in_status(insights, job.job_id, "suspended")

        [child] = view.waiting_on
        [event] = child.waiting_on
        assert (child.kind, child.job) == ("child", f"{job.job_id}.1")
        assert (event.kind, event.what) == ("event", 'event "go"')
        assert (event.until - event.since).total_seconds() == pytest.approx(500, abs=120)


async def test_a_map_says_how_many_items_are_left_and_shows_the_first_of_them(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(maps, n=6, limit=4)
        for position in range(4):
            await in_status(insights, f"{job.job_id}.1.{position}", "suspended")
        await app.send_event(f"{job.job_id}.1.1", "go", 10)
        await in_status(insights, f"{job.job_id}.1.1", "succeeded")

        [wait] = (await insights.view(job.job_id)).waiting_on
        assert (wait.kind, wait.what) == ("map", f"5 of 6 items of {__name__}:waits")
        assert [each.job for each in wait.waiting_on] == [
            f"{job.job_id}.1.{position}" for position in (0, 2, 3)
        ]

        last = await insights.view(f"{job.job_id}.1.5")
        assert (last.status, [each.kind for each in last.waiting_on]) == ("queued", ["turn"])
        [call] = (await insights.job(job.job_id)).calls
        assert (call.jobs_total, call.jobs_ended, len(call.jobs)) == (6, 1, 6)


async def test_a_glance_shows_unfinished_jobs_first_and_counts_the_rest(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(maps, n=9)
        for position in range(9):
            await in_status(insights, f"{job.job_id}.1.{position}", "suspended")
        for position in range(4):
            await app.send_event(f"{job.job_id}.1.{position}", "go", 1)
            await in_status(insights, f"{job.job_id}.1.{position}", "succeeded")

        [call] = (await insights.tree(job.job_id)).calls

        assert (call.jobs_total, call.jobs_ended) == (9, 4)
        positions = [int(each.job_id.rpartition(".")[2]) for each in call.jobs]
        assert positions == [0, 4, 5, 6, 7, 8]


async def test_a_task_is_waited_for_until_it_waits_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(assigns, instructions="transfer")
        view = await in_status(insights, job.job_id, "needs_attention")

        [wait] = view.waiting_on
        task = f"t{job.job_id[1:]}.1"
        assert (wait.kind, wait.task, wait.genie) == ("resolution", task, "helper")
        assert wait.what == (
            "whether transfer(amount=5) for account='ACC-1' happened: ConnectionError: cut off"
        )
        assert wait.metadata == {"account": "ACC-1"}
        assert wait.subject["key"].startswith(task)

        with pytest.raises(WaitNotFound):
            await insights.check_wait("j0", wait.wait_id)
        await insights.check_wait(job.job_id, wait.wait_id)
        await app.resolve(wait.wait_id, "happened", result="R", by="Ann")
        assert await app.result(job.job_id) == "done: R"
        assert (await insights.view(job.job_id)).waiting_on == ()


async def test_a_job_that_is_to_be_cancelled_shows_it_until_what_executes_has_ended(
    tmp_path: Path,
) -> None:
    gate.clear()
    held.clear()
    async with opened(tmp_path) as (app, insights):
        job = await app.start(holds)
        assert await asyncio.to_thread(held.wait, 60)
        await app.cancel(job.job_id)

        view = await insights.view(job.job_id)
        assert (view.status, view.cancelling) == ("running", True)

        gate.set()
        view = await in_status(insights, job.job_id, "cancelled")
        assert view.cancelling is False


async def test_recorded_calls_are_shown_with_their_values_and_large_ones_by_digest(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (app, insights):
        job_id = (await app.start(steps)).job_id
        assert await app.result(job_id) == 8

        for _ in range(2):  # read, then remembered
            large_one, doubled = (await insights.job(job_id)).calls
            assert (large_one.kind, large_one.name, large_one.status) == ("step", "large", "ok")
            assert (large_one.value, len(large_one.blob or "")) == (None, 64)
            assert (doubled.name, doubled.value, doubled.blob) == ("double", 8, None)
            assert doubled.ended_at is not None


async def test_detached_jobs_stand_in_the_tree_without_their_calls(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        job_id = (await app.start(starts)).job_id
        await app.result(job_id)
        await in_status(insights, f"{job_id}.0.1", "succeeded")
        await in_status(insights, f"{job_id}.1", "suspended")

        job = await insights.job(job_id)

        assert job.waiting_on == ()
        [started] = job.calls
        [below] = started.jobs
        assert (below.job_id, below.calls) == (f"{job_id}.1", ())
        assert [each.job_id for each in job.after_end] == [f"{job_id}.0.1"]


async def test_jobs_come_in_pages_by_tree_and_no_page_repeats_another(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        first = await app.start(maps, n=12)
        second = await app.start(calls)
        await in_status(insights, f"{first.job_id}.1.11", "suspended")
        await in_status(insights, f"{second.job_id}.1", "suspended")

        listed, after = list[str](), None
        while True:
            page = await insights.jobs(limit=4, after=after)
            listed += [job.job_id for job in page.items]
            if (after := page.next) is None:
                break

        items = [f"{first.job_id}.1.{position}" for position in range(12)]
        assert listed == [second.job_id, f"{second.job_id}.1", first.job_id, *items]
        roots = await insights.jobs(roots=True)
        assert [job.job_id for job in roots.items] == [second.job_id, first.job_id]
        assert (await insights.jobs(recipe="calls", status="queued")).items == ()
        with pytest.raises(InputInvalid, match="after: there is nothing"):
            await insights.jobs(after="j0")


async def test_conversations_come_in_pages(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        jobs = [await app.start(assigns, instructions="look") for _ in range(3)]
        for job in jobs:
            await app.result(job.job_id)

        whole = await insights.conversations()
        first = await insights.conversations(limit=2)
        rest = await insights.conversations(limit=2, after=first.next)

        assert first.items + rest.items == whole.items
        assert (len(whole.items), rest.next) == (3, None)
        assert (await insights.conversations(genie="nobody")).items == ()
        with pytest.raises(InputInvalid, match="after: there is nothing"):
            await insights.conversations(after="c0")


async def test_a_transcript_keeps_the_order_and_tells_refused_from_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(assigns, instructions="look")
        await app.result(job.job_id)

        found = await insights.conversation(f"c{job.job_id[1:]}.1")

        assert [part.kind for part in found.transcript] == [
            "told",
            "said",
            "refused",
            "skill_call",
            "said",
            "answered",
        ]
        refused: Any = found.transcript[2]
        card: Any = found.transcript[3]
        assert (refused.arguments["account"], refused.argument_refused) == ("EVIL", ("account",))
        assert (card.arguments, card.result, card.status) == ({"name": "B"}, "B of ACC-1", "ok")
        [fact] = found.metadata
        assert (fact.key, fact.value, fact.sealed) == ("account", "ACC-1", False)
        assert fact.carried_from == ("result of skill look_up",)
        assert found.task_records[0].proof_in_words == (
            "2 calls: 1 clean, 1 carried it from result of skill look_up"
        )
        assert found.task_records[0].usage == {"requests": 2, "cost_nanodollars": 0}


async def test_a_transcript_tells_what_was_unknown_and_who_resolved_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(assigns, instructions="transfer")
        view = await in_status(insights, job.job_id, "needs_attention")
        conversation = f"c{job.job_id[1:]}.1"
        open_card: Any = (await insights.conversation(conversation)).transcript[2]
        assert (open_card.status, open_card.notes[0]["note"]) == ("unknown", "unknown")

        await app.resolve(view.waiting_on[0].wait_id, "did_not_happen", by="Ann")
        wait = await eventually(lambda: _other_wait(insights, job.job_id, view.waiting_on[0]))
        await app.resolve(wait.wait_id, "fail", reason="enough", by="Bob")
        await in_status(insights, job.job_id, "failed")

        found = await insights.conversation(conversation)
        card: Any = found.transcript[2]
        assert [note["note"] for note in card.notes] == ["unknown", "resolved", "unknown"]
        assert card.notes[1]["by"] == "Ann"
        assert (card.status, card.source, card.error["message"]) == ("failed", "Bob", "enough")
        assert (found.status, found.transcript[-1].kind) == ("failed", "failed")


async def _other_wait(insights: Insights, job_id: str, before: Any) -> Any:
    waits = (await insights.view(job_id)).waiting_on
    asked = [wait for wait in waits if wait.kind == "resolution"]
    return next((wait for wait in asked if wait.wait_id != before.wait_id), None)


async def test_a_conversation_shows_the_task_that_writes_and_the_other_waits_in_line(
    tmp_path: Path,
) -> None:
    gate.clear()
    async with opened(tmp_path) as (app, insights):
        job = await app.start(lines_up)

        async def lined_up() -> Any:
            waits = {wait.kind: wait for wait in (await insights.view(job.job_id)).waiting_on}
            return waits if waits.keys() == {"conversation", "task"} else None

        waits = await eventually(lined_up)
        conversation = f"c{job.job_id[1:]}.1"
        assert waits["conversation"].what == (
            f"conversation {conversation}, which another task holds"
        )
        [listed] = (await insights.conversations()).items
        assert (listed.status, listed.tasks) == ("working", 3)

        gate.set()
        assert await app.result(job.job_id) == conversation
        [listed] = (await insights.conversations()).items
        assert listed.status == "answered"


async def test_a_task_that_was_declined_and_a_skill_that_raised_say_why(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        declined = await app.start(assigns, instructions="decline")
        weighed = await app.start(assigns, instructions="weigh")
        await in_status(insights, declined.job_id, "failed")
        await app.result(weighed.job_id)

        end: Any = (await insights.conversation(f"c{declined.job_id[1:]}.1")).transcript[-1]
        assert (end.kind, end.reason, end.missing) == (
            "not_completed",
            "no such thing",
            ("the thing",),
        )
        job = await insights.job(declined.job_id)
        assert job.error is not None
        assert job.error.code == "task_not_completed"
        [call] = job.calls
        assert call.task is not None
        assert (call.status, call.task.status) == ("failed", "failed")

        card: Any = (await insights.conversation(f"c{weighed.job_id[1:]}.1")).transcript[2]
        assert (card.status, card.attempts) == ("error", 1)
        assert "no scales for P1" in card.error["message"]
        assert "Traceback" in card.error["traceback"]


async def test_what_failed_in_no_code_of_the_users_has_no_traceback(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        task = await app.assign("helper", "Help.", conversation="c404")
        await in_status(insights, task.job_id, "failed")

        job = await insights.job(task.job_id)

    assert job.error is not None
    assert (job.error.code, job.traceback) == ("conversation_not_found", None)


async def test_a_job_in_full_keeps_the_order_of_its_fields_as_json(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, insights):
        job = await app.start(calls)
        await in_status(insights, f"{job.job_id}.1", "suspended")
        await in_status(insights, job.job_id, "suspended")

        shown = to_json(await insights.job(job.job_id))

        assert list(shown)[:6] == [
            "job_id",
            "recipe",
            "status",
            "waiting_on",
            "created_at",
            "started_at",
        ]
        assert shown["created_at"].endswith("Z")
        assert shown["trigger"] == {"kind": "api"}
        assert [line["message"] for line in shown["log"]] == ["calling"]
        assert shown["calls"][0]["jobs"][0]["calls"][0]["name"] == "go"


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_app, insights):
        for read in (insights.job, insights.tree, insights.view):
            with pytest.raises(JobNotFound):
                await read("j0")
        with pytest.raises(ConversationNotFound):
            await insights.conversation("c0")
