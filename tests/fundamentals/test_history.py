"""History: what a task is shown of the conversation that it continues."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import Metered

from lampwork import (
    Answer,
    Budget,
    Call,
    Project,
    Recent,
    Summary,
    Turn,
    playbook,
)
from lampwork.errors import InputInvalid, JobFailed
from lampwork.insights import Insights
from lampwork.models.ask import Message, Returned, Said, Told

from .conftest import Open

project = Project("history")
seen: list[tuple[Message, ...]] = []


def texts(messages: tuple[Message, ...]) -> list[str]:
    """Each message in short."""
    return [
        message.text
        if isinstance(message, Told)
        else "said"
        if isinstance(message, Said)
        else f"{message.name}: {message.content}"
        for message in messages
    ]


@project.skill(effect="read")
def look() -> str:
    """Look."""
    return "seen"


@playbook
def talker(turn: Turn) -> Any:
    if turn.number == 0:
        seen.append(turn.history)
        return Answer("" if "mute" in turn.on_problem else "They looked twice.")
    if turn.instructions == "Look." and not turn.results:
        return Call("look")
    seen.append(turn.history)
    return Answer("done")


genie = project.genie("talker", model=talker, job_description="You talk.", skills=[look])


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


async def talked(app: Any) -> str:
    """A conversation of two tasks with two responses each."""
    first = await app.assign_task(genie, "Look.")
    await app.assign_task(genie, "Look.", conversation=first.conversation_id)
    seen.clear()
    return first.conversation_id


async def test_recent_shows_the_last_responses_with_what_came_after_them(opened: Open) -> None:
    async with opened(project) as app:
        conversation = await talked(app)
        await app.assign_task(genie, "Go on.", conversation=conversation, history=Recent(1))
        await app.assign_task(genie, "Go on.", conversation=conversation, history=Recent(3))
    assert texts(seen[0]) == ["(The 7 messages before this are left out.)", "said"]
    assert texts(seen[1]) == [
        "(The 5 messages before this are left out.)",
        "said",
        "look: seen",
        "said",
        "Go on.",
        "said",
    ]


async def test_recent_never_leaves_a_result_without_its_call(opened: Open) -> None:
    async with opened(project) as app:
        conversation = await talked(app)
        for responses in (1, 2, 3, 4, 99):
            shown = Recent(responses)
            await app.assign_task(genie, "Go on.", conversation=conversation, history=shown)
    for messages in seen:
        for place, message in enumerate(messages):
            if isinstance(message, Returned):
                assert isinstance(messages[place - 1], Said)


async def test_a_summary_stands_for_the_history_and_is_on_record(opened: Open) -> None:
    async with opened(project) as app:
        conversation = await talked(app)
        answer = await app.assign_task(
            genie, "Go on.", conversation=conversation, history=Summary(50), on_problem="Ask."
        )
        found = await Insights(app.store).conversation(conversation)
    assert len(seen[0]) == 8  # what is summed up
    assert texts(seen[1]) == ["A summary of the conversation before this task:\nThey looked twice."]
    assert answer.usage["requests"] == 2
    (told,) = [each for each in found.transcript if each.kind == "told" and each.history]
    assert told.history == {"summary": 50}
    (summed_up,) = [each for each in found.transcript if each.kind == "summarised"]
    assert (summed_up.text, summed_up.messages) == ("They looked twice.", 8)


async def test_a_later_task_sees_the_whole_conversation_again(opened: Open) -> None:
    async with opened(project) as app:
        conversation = await talked(app)
        await app.assign_task(
            genie, "Go on.", conversation=conversation, history=Summary(), on_problem="Ask."
        )
        seen.clear()
        await app.assign_task(genie, "Go on.", conversation=conversation)
    assert texts(seen[0])[0] == "Look."


async def test_without_a_history_nothing_is_summed_up(opened: Open) -> None:
    async with opened(project) as app:
        answer = await app.assign_task(genie, "Go on.", history=Summary())
    assert answer.usage["requests"] == 1


async def test_a_model_that_sums_up_to_nothing_fails_the_task(opened: Open) -> None:
    async with opened(project) as app:
        conversation = await talked(app)
        with pytest.raises(JobFailed, match="asked for a summary of the conversation and said not"):
            await app.assign_task(
                genie, "Go on.", conversation=conversation, history=Summary(), on_problem="mute"
            )


@pytest.mark.parametrize(
    ("longest", "budget", "why"),
    [
        (40, None, "and did not come to its end"),
        (None, Budget(tokens=9_000), "the reply of the model was cut off there"),
    ],
    ids=["by the model", "by the budget"],
)
async def test_half_a_summary_is_none(
    opened: Open, longest: int | None, budget: Budget | None, why: str
) -> None:
    project = Project("cut off")
    terse = Metered(lambda turn: Answer("done"), used=(10, 20), longest=100)
    wordy = Metered(lambda turn: Answer("It was agreed that"), used=(10, 9_000), longest=longest)
    first = project.genie("first", model=terse, job_description="")
    second = project.genie("second", model=wordy, job_description="")
    async with opened(project) as app:
        given = await app.assign_task(first, "Look.")
        with pytest.raises(JobFailed, match=why) as failed:
            await app.assign_task(
                second,
                "Go on.",
                conversation=given.conversation_id,
                history=Summary(),
                budget=budget,
            )
        assert failed.value.error["fields"]["usage"]["requests"] == 1


async def test_a_summary_counts_against_the_budget(opened: Open) -> None:
    async with opened(project) as app:
        conversation = await talked(app)
        with pytest.raises(JobFailed, match="allows 1 model call"):
            await app.assign_task(
                genie,
                "Go on.",
                conversation=conversation,
                history=Summary(),
                on_problem="Ask.",
                budget=Budget(model_calls=1),
            )


@pytest.mark.parametrize("make", [lambda: Recent(0), lambda: Summary(0)])
def test_a_history_of_nothing_is_refused(make: Any) -> None:
    with pytest.raises(InputInvalid, match="nothing"):
        make()
