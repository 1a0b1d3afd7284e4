"""Copies of jobs with tasks: what their genies see, and which conversations they work on."""

from __future__ import annotations

import pytest

from lampwork import Answer, App, Call, Job, Metadata, Project, SkillCall, Turn, playbook
from lampwork.errors import JobFailed
from lampwork.insights import Insights
from lampwork.views import EffectCount

from .conftest import Open

project = Project("copied conversations")

broken: set[str] = set()
"""What fails for now."""

keys: list[tuple[str, str]] = []
"""What happened, and under which key."""


@pytest.fixture(autouse=True)
def _as_new() -> None:
    broken.clear()
    keys.clear()


async def act(what: str) -> None:
    if what in broken:
        raise ConnectionError(f"no {what}")


async def failed(app: App, job_id: str) -> None:
    with pytest.raises(JobFailed):
        await app.result(job_id)


@project.skill()
def pay(amount: int, invoice: Metadata[str], call: SkillCall) -> str:
    """Pay an amount."""
    keys.append((f"paid {invoice}", call.idempotency_key))
    return "paid"


seen: list[list[str]] = []
"""What each turn was shown of earlier tasks."""


@playbook
def teller(turn: Turn) -> Call | Answer:
    if "pay" in turn.instructions and not turn.results:
        return Call("pay", amount=3)
    told = [message.text for message in turn.history if type(message).__name__ == "Told"]
    seen.append(told)
    return Answer(f"done: {turn.instructions}")


clerk = project.genie("clerk", model=teller, job_description="You pay.", skills=[pay])


@project.recipe()
async def conversing(job: Job) -> list[str]:
    first = await job.assign_task(clerk, "look")
    about = first.conversation_id
    second = await job.assign_task(clerk, "pay", conversation=about, metadata={"invoice": "INV-7"})
    await job.step(act, "file")
    third = await job.assign_task(clerk, "sum up", conversation=about)
    return [first.conversation_id, second.conversation_id, third.conversation_id]


async def entries(app: App, conversation: str) -> list[str]:
    found = await Insights(app.store).conversation(conversation)
    return [part.instructions for part in found.transcript if part.kind == "told"]


async def test_a_forked_task_works_on_a_new_conversation_with_the_same_beginning(
    opened: Open,
) -> None:
    async with opened(project) as app:
        seen.clear()
        original = await app.start(conversing)
        about, *_ = await app.result(original)
        assert seen == [[], ["look"], ["look", "pay"]]
        plan = await app.plan_fork(original, at=2)
        assert plan.repeated == (
            EffectCount(what="skill pay", effect="at_most_once", happened=1),
            EffectCount(what="step act", effect="idempotent", happened=1),
        )
        seen.clear()
        fork = await app.copy(plan)
        own = f"c{fork[1:]}.2"
        assert await app.result(fork) == [about, own, own]
        # Each saw what its original had seen, and only the calls that the fork made itself.
        assert seen == [["look"], ["look", "pay"]]
        assert await entries(app, about) == ["look", "pay", "sum up"]
        assert await entries(app, own) == ["look", "pay", "sum up"]
        assert (await Insights(app.store).conversation(own)).copied_from == about
        # The metadata is that of the recipe's call, the key is new.
        paid = [(what, key.partition(".")[0]) for what, key in keys if what.startswith("paid")]
        assert paid == [("paid INV-7", f"t{original[1:]}"), ("paid INV-7", f"t{fork[1:]}")]


async def test_a_task_after_kept_ones_sees_all_that_they_left(opened: Open) -> None:
    """A retry at the step between them: both earlier tasks are kept, and the copy goes on after
    what they wrote; a copy of that copy goes on after the copy's own."""
    async with opened(project) as app:
        broken.add("file")
        original = await app.start(conversing)
        await failed(app, original)
        broken.clear()
        seen.clear()
        retry = await app.retry(original)
        about, second, third = await app.result(retry)
        assert (second, third) == (about, f"c{retry[1:]}.4")
        assert await entries(app, about) == ["look", "pay"]
        assert await entries(app, third) == ["look", "pay", "sum up"]
        again = await app.fork(retry, at=4)
        assert (await app.result(again))[2] == f"c{again[1:]}.4"
        assert seen == [["look", "pay"], ["look", "pay"]]


@project.recipe()
async def both_at_once(job: Job) -> list[str]:
    about = (await job.assign_task(clerk, "look")).conversation_id
    await job.step(act, "file")
    tasks = [job.assign_task(clerk, each, conversation=about) for each in ("one", "two")]
    return [each.conversation_id for each in await job.gather(*tasks)]


async def test_tasks_side_by_side_take_turns_on_one_new_conversation(opened: Open) -> None:
    async with opened(project) as app:
        original = await app.start(both_at_once)
        await app.result(original)
        fork = await app.fork(original, at=2)
        own = f"c{fork[1:]}.3"
        assert await app.result(fork) == [own, own]
        assert await entries(app, own) == ["look", "one", "two"]


@project.recipe()
async def on_anothers(job: Job, about: str) -> str:
    await job.step(act, "file")
    return (await job.assign_task(clerk, "add", conversation=about)).conversation_id


async def test_a_conversation_of_others_is_continued_itself_until_the_original_has_written_there(
    opened: Open,
) -> None:
    async with opened(project) as app:
        about = (await app.assign_task(clerk, "look")).conversation_id
        broken.add("file")
        original = await app.start(on_anothers, about=about)
        await failed(app, original)
        broken.clear()
        retry = await app.retry(original)
        assert await app.result(retry) == about
        rerun = await app.rerun(retry)
        own = await app.result(rerun)
        assert own == f"c{rerun[1:]}.2"
        assert await entries(app, about) == ["look", "add"]
        assert await entries(app, own) == ["look", "add"]


async def test_a_task_that_was_assigned_outside_any_recipe_is_retried(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.assign(clerk, "look", data={"n": 1})
        await app.result(job)
        rerun = await app.rerun(job)
        assert (await app.result(rerun))["response"] == "done: look"
