"""One conversation, one writer: the others wait in line, and nobody waits for himself."""

from __future__ import annotations

import pytest
from tests.support import (
    Gate,
    clerk,
    end_run,
    eventually,
    idle,
    opened,
    park,
    result,
    rows,
    status,
)

from lampwork import Answer, Call, Job, Turn, playbook

entered: list[str] = []


@pytest.fixture(autouse=True)
def _nobody_entered() -> None:
    entered.clear()


@playbook
def caller(turn: Turn) -> Call | Answer:
    """Calls the skill that its instructions name; answers with what came of it."""
    if turn.results:
        return Answer(str(turn.results[-1].error or turn.results[-1].value))
    skill, _, argument = turn.instructions.partition(" ")
    return Call(skill, conversation=argument) if skill in turn.skills else Answer("said")


@pytest.fixture
def chain(project):
    """A genie whose recipe-skill assigns on the conversation that it is told."""

    @project.recipe()
    async def ask_on(job: Job, conversation: str) -> str:
        """Ask on another conversation."""
        entered.append(conversation)
        if not conversation.startswith("free "):
            await job.wait_for("go")
        conversation = conversation.removeprefix("free ")
        task = await job.assign_task(listener, "Say.", conversation=conversation)
        return task.response

    listener = project.genie("listener", model=caller, job_description="You listen.")
    talker = project.genie("talker", model=caller, job_description="You talk.", skills=[ask_on])

    @project.recipe()
    async def talk(job: Job, on: str | None, say: str) -> list[str]:
        task = await job.assign_task(talker, say, conversation=on)
        return [task.conversation_id, task.response]

    return talk


async def begin(app, talk) -> str:
    """A new conversation."""
    conversation, _ = await app.run(talk, on=None, say="hello")
    return conversation


async def test_a_task_whose_skill_continues_its_own_conversation_is_told_that_it_is_busy(
    project, home, chain
):
    """ "T1 holds C, and its recipe-skill assigns on C": it would wait for itself for ever."""
    async with opened(project, home) as app:
        talked = await begin(app, chain)
        job_id = (await app.start(chain, on=talked, say=f"ask_on free {talked}")).job_id
        _, response = await result(app, job_id)
        assert "busy with task" in response
        assert "waits for this very job in turn" in response


@pytest.mark.parametrize("parked", [False, True])
async def test_two_tasks_that_would_wait_for_each_other_do_not_both_wait(
    project, home, chain, parked
):
    """ "A(C1)→C2 with B(C2)→C1: both park for ever." The second to get in line closes the circle:
    a cycle is `ConversationBusy`; the first goes on when the second has ended."""
    async with opened(project, home) as app:
        one, two = await begin(app, chain), await begin(app, chain)
        a = (await app.start(chain, on=one, say=f"ask_on {two}")).job_id
        b = (await app.start(chain, on=two, say=f"ask_on {one}")).job_id
        await eventually(lambda: len(entered) == 2)
        found = await rows(app, "select id, parent_id from jobs where callable = 'ask_on'")
        below = {parent: child for child, parent in found}
        if parked:
            for job_id in (a, b, *below.values()):
                await park(app, job_id)
        await app.send_event(below[a], "go")
        await eventually(lambda: _in_line(app))
        await app.send_event(below[b], "go")
        _, of_a = await result(app, a)
        _, of_b = await result(app, b)
        assert of_a == "said"
        assert "waits for this very job in turn" in of_b
        assert await rows(app, "select count(*) from line") == [(0,)]


async def _in_line(app) -> bool:
    return bool(await rows(app, "select 1 from line"))


@pytest.fixture
def slow(project):
    """Tasks that stay in their model until the gate is opened; first come, first served."""
    gate = Gate()

    @playbook
    async def thinker(turn: Turn) -> Answer:
        entered.append(turn.instructions)
        await gate.hold_first()
        return Answer(f"{turn.instructions} after {len(turn.history)}")

    genie = project.genie("thinker", model=thinker, job_description="You think.")

    @project.recipe()
    async def think(job: Job, on: str | None, name: str) -> str:
        return (await job.assign_task(genie, name, conversation=on)).response

    @project.recipe()
    async def think_all(job: Job, on: str, names: list[str]) -> list[str]:
        tasks = [job.assign_task(genie, name, conversation=on) for name in names]
        return [task.response for task in await job.gather(*tasks)]

    return gate, think, think_all


async def test_tickets_under_gather_follow_the_order_of_the_calls(project, home, chain, slow):
    """ "Tickets under `gather` follow call order", parked and woken in between too."""
    gate, think, think_all = slow
    async with opened(project, home) as app:
        talked = await begin(app, chain)
        first = (await app.start(think, on=talked, name="holder")).job_id
        await eventually(lambda: entered == ["holder"])
        names = ["a", "b", "c", "d"]
        job_id = (await app.start(think_all, on=talked, names=names)).job_id
        await park(app, job_id)
        gate.open()
        await result(app, first)
        said = await result(app, job_id)
        assert [each[0] for each in said] == names
        assert entered == ["holder", *names]


async def test_a_job_that_is_cancelled_gives_up_its_hold_and_its_place(project, home, chain, slow):
    """ "A job's end, cancellation or attention releases holds and tickets." The holder is cancelled
    and so is the next in line; the one behind gets its turn, and the ended tasks are cancelled."""
    gate, think, _ = slow
    async with opened(project, home, grace=0) as app:
        talked = await begin(app, chain)
        holder = (await app.start(think, on=talked, name="holder")).job_id
        await eventually(lambda: entered == ["holder"])
        second = (await app.start(think, on=talked, name="second")).job_id
        await idle(app, second)
        third = (await app.start(think, on=talked, name="third")).job_id
        await park(app, third)
        await app.cancel(second)
        await status(app, second, "cancelled")
        assert await rows(app, "select count(*) from line") == [(1,)]
        await app.cancel(holder)
        assert (await result(app, third)).startswith("third")
        gate.open()
        ended = "select status from tasks where ended_at is not null order by created_at"
        assert [each for (each,) in await rows(app, ended)] == [
            "answered",
            "cancelled",
            "cancelled",
            "answered",
        ]


async def test_a_task_that_got_its_turn_is_shown_as_working(project, home, chain, slow):
    """It was opened while it waited; its row must not go on saying so."""
    gate, think, _ = slow
    again = Gate()
    async with opened(project, home) as app:
        talked = await begin(app, chain)
        holder = (await app.start(think, on=talked, name="holder")).job_id
        await eventually(lambda: entered == ["holder"])
        second = (await app.start(think, on=talked, name="second")).job_id
        await idle(app, second)
        shown = "select status from tasks where job_id = :job"
        assert await rows(app, shown, job=second) == [("waiting",)]
        hold = gate.hold_first
        gate.hold_first = again.hold_first
        gate.open()
        await result(app, holder)
        await eventually(lambda: again.passed)
        assert await rows(app, shown, job=second) == [("working",)]
        again.open()
        await result(app, second)
        gate.hold_first = hold


async def test_a_replayed_task_reads_no_further_than_its_opening(project, home, chain, slow):
    """ "A task's opening records the sequence number its history ends at; a replay reads no
    further." Its run dies in the model's call; it is asked again with the same history."""
    gate, think, _ = slow
    async with opened(project, home) as app:
        talked = await begin(app, chain)
        job_id = (await app.start(think, on=talked, name="only")).job_id
        await eventually(lambda: entered == ["only"])
        await end_run(app, job_id)
        gate.open()
        response = await result(app, job_id)
        other = (await app.start(think, on=talked, name="other")).job_id
        assert entered[:2] == ["only", "only"]
        assert int(response.rpartition(" ")[2]) < int((await result(app, other)).rpartition(" ")[2])


async def test_a_mended_holder_waits_for_its_turn_again(project, home, chain):
    """The holder needed attention and let its conversation go to the next; when it goes on, it gets
    in line again and finds its own entries where it had left them."""

    @project.skill()
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie, broken = clerk(project, ask), False

    @project.recipe()
    async def review(job: Job, on: str) -> str:
        if broken:
            await job.step(entered.append, "wrong")
        return (await job.assign_task(genie, "Ask.", conversation=on)).response

    async with opened(project, home) as app:
        talked = await begin(app, chain)
        holder = (await app.start(review, on=talked)).job_id
        await park(app, holder)
        behind = (await app.start(chain, on=talked, say="hello")).job_id
        await idle(app, behind)
        broken = True
        ((wait,),) = await rows(app, "select id from waits where kind = 'resolution'")
        await app.resolve(wait, "happened", result="yes", by="ann")
        assert (await result(app, behind))[1] == "said"
        await eventually(lambda: holder not in app.worker.runs)
        broken = False
        await app.go_on(holder)
        assert await result(app, holder) == "done"
        assert entered == []
