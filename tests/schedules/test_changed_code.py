"""Code that changes under a waiting job: it goes on, or needs attention before anything runs."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest
from tests.support import (
    Gate,
    clerk,
    end_run,
    eventually,
    opened,
    park,
    result,
    row,
    rows,
    status,
)

from lampwork import Job, Project

happened: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_happened() -> None:
    happened.clear()


def pay() -> None:
    happened.append("pay")


async def stopped(app, job_id: str) -> str:
    """Wait until a job was stopped for attention and its run is gone; why it was."""

    async def attention() -> str | None:
        return (await row(app, job_id)).attention

    why = await eventually(attention, "the job was not stopped")
    await eventually(lambda: job_id not in app.worker.runs)
    return why


async def test_a_call_that_was_inserted_before_a_waiting_task_does_not_run(project, home):
    """ "With `pay` inserted before a waiting task, `pay` ran and the task opened anew under another
    number: one effect, two keys." DBOS compares names of recorded calls only."""

    @project.skill()
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie, inserted = clerk(project, ask), False

    @project.recipe()
    async def review(job: Job) -> str:
        if inserted:
            await job.step(pay)
        return (await job.assign_task(genie, "Ask.")).response

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
        inserted = True
        ((wait,),) = await rows(app, "select id from waits")
        await app.resolve(wait, "happened", result="yes", by="ann")
        why = await stopped(app, job_id)
        assert "`step pay` now, but was begun as `task clerk`" in why
        assert happened == []
        assert await rows(app, "select count(*) from tasks") == [(1,)]
        inserted = False
        await app.go_on(job_id)
        assert await result(app, job_id) == "done"


async def test_code_that_drops_a_waiting_call_needs_attention(project, home):
    """The recipe returns without the wait at which it was parked: its answer would be lost."""
    dropped = False

    @project.recipe()
    async def patient(job: Job) -> str:
        return "without" if dropped else await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        dropped = True
        await app.send_event(job_id, "go", "hello")
        assert "ended without the calls that were begun: wait_for go" in await stopped(app, job_id)
        dropped = False
        await app.go_on(job_id)
        assert await result(app, job_id) == "hello"


async def test_the_same_call_with_another_identity_needs_attention(project, home):
    """Number, kind and name agree, the digest does not: other instructions for a task that has
    begun, another number of items for a map."""

    @project.skill()
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie, instructions = clerk(project, ask), "Ask."

    @project.recipe()
    async def review(job: Job) -> str:
        return (await job.assign_task(genie, instructions)).response

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
        instructions = "Pay."
        ((wait,),) = await rows(app, "select id from waits")
        await app.resolve(wait, "happened", result="done", by="ann")
        assert "task clerk" in await stopped(app, job_id)


async def test_an_open_task_needs_attention_when_another_answer_is_wanted_of_it(project, home):
    """The genie was told one type and would be judged by another. What a type only says of itself
    makes no difference."""

    @project.skill()
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie = clerk(project, ask)
    output = {"type": "string", "description": "The answer."}

    @project.recipe()
    async def review(job: Job) -> str:
        return (await job.assign_task(genie, "Ask.", output=output)).output

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
        ((wait,),) = await rows(app, "select id from waits")
        output = {"type": "integer"}
        await app.resolve(wait, "happened", result="yes", by="ann")
        assert "with other instructions, another conversation or another output type" in (
            await stopped(app, job_id)
        )
        output = {"type": "string", "description": "In one word."}
        await app.go_on(job_id)
        assert await result(app, job_id) == "done"


async def test_a_job_whose_input_its_recipe_no_longer_takes_needs_attention(project, home):
    """It was checked when the job was accepted: it is not the job that has failed."""

    @project.recipe()
    async def patient(job: Job, name: str) -> str:
        return name + await job.wait_for("go", str)

    async def renamed(job: Job, title: str) -> str:
        return title

    async def retyped(job: Job, name: int) -> str:
        return str(name)

    async with opened(project, home) as app:
        job_id = (await app.start(patient, name="ada")).job_id
        await park(app, job_id)
        recipe = project._recipes["patient"]
        fn, recipe.fn = recipe.fn, renamed
        await app.send_event(job_id, "go", "!")
        assert "renamed does not take the input that was recorded" in await stopped(app, job_id)
        recipe.fn = retyped
        await app.go_on(job_id)
        await eventually(lambda: row_says(app, job_id, "does not fit its type any more"))
        await stopped(app, job_id)
        recipe.fn = fn
        await app.go_on(job_id)
        assert await result(app, job_id) == "ada!"


async def row_says(app, job_id: str, text: str) -> bool:
    return text in ((await row(app, job_id)).attention or "")


async def test_the_instructions_of_a_task_that_was_answered_may_change(project, home):
    """What a call was asked to do matters while it is open; its recorded answer is used."""
    genie, instructions = clerk(project), "Look."

    @project.recipe()
    async def review(job: Job) -> str:
        answer = (await job.assign_task(genie, instructions)).response
        return f"{answer} {await job.wait_for('go', str)}"

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
        instructions = "Look again."
        await app.send_event(job_id, "go", "now")
        assert await result(app, job_id) == "done now"


async def test_a_task_that_was_answered_needs_its_model_no_more(project, home, monkeypatch):
    """The worker was started anew without the key: a job that only waits goes on all the same."""
    genie = clerk(project)

    @project.recipe()
    async def review(job: Job) -> str:
        answer = await job.assign_task(genie, "Ask.")
        return answer.response + await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    object.__setattr__(genie, "model", "openai:gpt-5-nano")
    async with opened(project, home) as app:
        await app.send_event(job_id, "go", "!")
        assert await result(app, job_id) == "done!"


async def test_a_recorded_call_that_differs_needs_attention_before_anything_runs(project, home):
    """The first call is on record under another name; what follows must not run."""
    changed = False

    def fetch() -> int:
        return 1

    @project.recipe()
    async def patient(job: Job) -> str:
        if changed:
            await job.step(pay)
        else:
            await job.step(fetch)
        await job.wait_for("go", str)
        return "done"

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        changed = True
        await app.send_event(job_id, "go", "now")
        await stopped(app, job_id)
        assert happened == []
        changed = False
        await app.go_on(job_id)
        assert await result(app, job_id) == "done"


async def test_a_job_whose_recipe_is_gone_needs_attention_and_goes_on_when_it_is_back(
    project, home
):
    """A deploy without the recipe: the job is named, not lost and not failed."""

    @project.recipe()
    async def patient(job: Job) -> str:
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        gone = project._recipes.pop("patient")
        await app.send_event(job_id, "go", "hello")
        assert 'no recipe "patient" any more' in await stopped(app, job_id)
        project._recipes["patient"] = gone
        await app.go_on(job_id)
        assert await result(app, job_id) == "hello"


@pytest.mark.parametrize("after", ["a wait", "nothing", "a handler"])
async def test_a_recorded_result_that_todays_type_refuses_needs_attention(project, home, after):
    """A recorded result is read with today's type. It was a number, and a list is expected now:
    the code has changed, so the job must not fail for it, nor handle it as its step's error."""
    changed = False

    def fetch_number() -> int:
        return 1

    def fetch_list() -> list[str]:
        return []

    fetch_list.__qualname__ = fetch_number.__qualname__

    @project.recipe()
    async def reader(job: Job) -> str:
        try:
            await job.step(fetch_list if changed else fetch_number)
        except Exception:
            if after != "a handler":
                raise
        if changed and after == "nothing":
            return "done"
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(reader)).job_id
        await park(app, job_id)
        changed = True
        await app.send_event(job_id, "go", "hello")
        assert "does not fit its type any more" in await stopped(app, job_id)
        changed = False
        await app.go_on(job_id)
        assert await result(app, job_id) == "hello"


async def test_a_mended_job_goes_on_with_the_conversation_that_it_had_let_go(project, home):
    """A job that needs attention releases its holds; when it goes on, its task holds nothing and
    must get in line again instead of being stranded."""

    @project.skill()
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie, broken = clerk(project, ask), False

    @project.recipe()
    async def review(job: Job) -> str:
        if broken:
            await job.step(pay)
        return (await job.assign_task(genie, "Ask.")).response

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
        broken = True
        ((wait,),) = await rows(app, "select id from waits")
        await app.resolve(wait, "happened", result="yes", by="ann")
        await stopped(app, job_id)
        assert await rows(app, "select holder from conversations") == [(None,)]
        broken = False
        await app.go_on(job_id)
        assert await result(app, job_id) == "done"


async def test_a_job_that_was_stopped_twice_goes_on_at_once_each_time(project, home):
    """Mended in the wrong way first: `go_on` is prompt, without waiting for a sweep."""
    broken = False

    @project.recipe()
    async def patient(job: Job) -> str:
        if broken:
            await job.step(pay)
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        broken = True
        await app.send_event(job_id, "go", "hello")
        await stopped(app, job_id)
        await app.go_on(job_id)
        await status(app, job_id, "running", "needs_attention")
        await stopped(app, job_id)
        broken = False
        await app.go_on(job_id)
        assert await result(app, job_id) == "hello"
        assert happened == []


async def test_a_person_who_is_quicker_than_the_engine_gets_the_job_going(
    project, home, monkeypatch
):
    """A job is stopped, somebody lets it go on, and only then does the engine cancel its run."""
    broken = False

    @project.recipe()
    async def patient(job: Job) -> str:
        if broken:
            await job.step(pay)
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(patient)).job_id
        await park(app, job_id)
        worker, broken = app.worker, True
        cancel, revive, may_cancel = worker.engine.cancel, worker.waking.revive, Future[None]()

        async def late(job_id: str) -> None:
            await asyncio.wrap_future(may_cancel)
            await cancel(job_id)

        async def seen(job_id: str, **how: bool) -> bool:
            if worker.lock(job_id).locked():  # else the engine is asked, whatever is to come
                may_cancel.set_result(None)
            found = await revive(job_id, **how)
            if not may_cancel.done():
                may_cancel.set_result(None)
            return found

        monkeypatch.setattr(worker.engine, "cancel", late)
        monkeypatch.setattr(worker.waking, "revive", seen)
        await app.send_event(job_id, "go", "hello")
        await stopped(app, job_id)
        broken = False
        await app.go_on(job_id)

        assert await result(app, job_id) == "hello"
        assert happened == []


def gated(*, gate: bool, gone_on: list[str]):
    """A project whose genie asks in vain, and whose recipe waits when it has its answer.

    With `gate`, its skill needs a user's confirmation, which no task in the background can get.
    """
    project = Project("gated")

    @project.skill(confirm=gate)
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie = clerk(project, ask)

    @project.recipe()
    async def review(job: Job) -> str:
        task = await job.assign_task(genie, "Ask.")
        word = await job.wait_for("go", str)
        await job.step(gone_on.append, "went on")
        return f"{task.output}, {word}"

    return project, review


async def test_a_task_on_record_is_read_though_its_genie_could_not_take_it_any_more(home):
    gone_on: list[str] = []
    project, review = gated(gate=False, gone_on=gone_on)
    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
        ((wait,),) = await rows(app, "select id from waits where kind = 'resolution'")
        await app.resolve(wait, "happened", result="yes", by="ann")
        await eventually(lambda: rows(app, "select 1 from waits where kind = 'event'"))
        await park(app, job_id)
    project, _ = gated(gate=True, gone_on=gone_on)
    async with opened(project, home) as app:
        await app.send_event(job_id, "go", "well")
        assert await result(app, job_id) == "done, well"
    assert gone_on == ["went on"]


async def test_a_task_that_its_genie_may_not_do_any_more_stops_its_job(home):
    project, review = gated(gate=False, gone_on=[])
    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
        ((wait,),) = await rows(app, "select id from waits where kind = 'resolution'")
    project, _ = gated(gate=True, gone_on=[])
    async with opened(project, home) as app:
        await app.resolve(wait, "did_not_happen", by="ann")
        why = await stopped(app, job_id)
        assert 'skill "ask" needs the confirmation of its user' in why
    # Under the old code it goes on: it may act again, and asks again.
    project, _ = gated(gate=False, gone_on=[])
    async with opened(project, home) as app:
        await app.go_on(job_id)
        await status(app, job_id, "needs_attention")
        assert (await row(app, job_id)).want != "attention"


async def test_the_place_of_a_job_that_needs_attention_is_the_next_ones(project, home):
    """*It was free, and nobody was let in before the next sweep. Nor was a job that had been
    mended while another one had its place, when that one ended.*"""
    gates, changed = {"a": Gate(), "b": Gate()}, False

    @project.recipe(concurrency=1)
    async def work(job: Job, name: str) -> str:
        await job.step(pay if changed and name == "a" else gates[name].hold_first)
        return name

    async with opened(project, home) as app:
        first = (await app.start(work, name="a")).job_id
        await eventually(lambda: gates["a"].passed)
        second = (await app.start(work, name="b")).job_id
        await eventually(lambda: not app.worker.at_work)
        changed = True
        await end_run(app, first)
        gates["a"].open()
        await stopped(app, first)
        await eventually(lambda: gates["b"].passed, "the next one was not let in")
        changed = False
        await app.go_on(first)
        await eventually(lambda: not app.worker.at_work)
        gates["b"].open()
        assert [await result(app, each) for each in (second, first)] == ["b", "a"]
