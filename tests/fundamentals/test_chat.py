"""Chat: a person talks with a genie; each message is a task of that user, answered by the reply."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from lampwork import (
    Answer,
    Call,
    CannotComplete,
    Job,
    Metadata,
    Passage,
    Project,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.errors import (
    ConversationNotFound,
    GenieNotEligible,
    InputInvalid,
    InstructionsMissing,
    JobFailed,
    UserNotAllowed,
)
from lampwork.insights import Insights
from lampwork.models.ask import Told

from ..support import eventually, status
from .conftest import Open

project = Project("help desk")
done: list[str] = []
"""What the skills of this page did."""
held: dict[str, asyncio.Event] = {}


@pytest.fixture(autouse=True)
def _nothing_done() -> Iterator[None]:
    done.clear()
    held.clear()
    yield
    for each in held.values():
        each.set()


@project.skill(effect="read")
def who_is_there(call: SkillCall) -> str | None:
    """Look up who is there."""
    return call.user


@playbook
def greeter(turn: Turn) -> Call | Answer:
    if "who" in turn.instructions:
        return Answer(f"You are {turn.results[0].value}.") if turn.results else Call("who_is_there")
    said = [each.text for each in turn.history if isinstance(each, Told)]
    return Answer(f"Before: {', '.join(said)}." if said else "Hello.")


desk = project.genie("desk", model=greeter, job_description="You help.", skills=[who_is_there])


async def test_each_message_has_a_reply_and_a_chat_goes_on_where_it_was(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.chat(desk, "good morning", user="ann")
        second = await app.chat("desk", "once more", user="ann", conversation=first.conversation_id)
    async with opened(project) as app:  # after a restart
        third = await app.chat(desk, "and again", user="ann", conversation=first.conversation_id)

    assert [each.response for each in (first, second, third)] == [
        "Hello.",
        "Before: good morning.",
        "Before: good morning, once more.",
    ]
    assert {each.conversation_id for each in (first, second, third)} == {first.conversation_id}


async def test_a_skill_knows_for_whom_it_is_called_and_in_the_background_it_is_nobody(
    opened: Open,
) -> None:
    async with opened(project) as app:
        said = await app.chat(desk, "who am I? I say I am bob.", user="ann")
        answered = await app.assign_task(desk, "who is there?")

    assert said.response == "You are ann."
    assert answered.response == "You are None."


async def test_a_chat_is_its_users_and_nobody_elses(opened: Open) -> None:
    async with opened(project) as app:
        chat = (await app.chat(desk, "hello", user="ann")).conversation_id
        task = (await app.assign_task(desk, "hello")).conversation_id

        with pytest.raises(UserNotAllowed, match=r"is not a chat of bob\. Leave conversation= out"):
            await app.chat(desk, "what did ann say?", user="bob", conversation=chat)
        with pytest.raises(UserNotAllowed, match="is the record of tasks in the background"):
            await app.chat(desk, "hello", user="ann", conversation=task)
        with pytest.raises(ConversationNotFound):
            await app.chat(desk, "hello", user="ann", conversation="c0000")
        assert (await app.chat(desk, "me again", user="ann", conversation=chat)).response


async def test_the_chat_of_another_project_looks_like_none(opened: Open) -> None:
    other = Project("other")
    stranger = other.genie("desk", model=greeter, job_description="You help.")
    async with opened(project) as app:
        chat = (await app.chat(desk, "hello", user="ann")).conversation_id
    async with opened(other) as app:
        with pytest.raises(ConversationNotFound, match='in project "other"'):
            await app.chat(stranger, "hello", user="ann", conversation=chat)


@project.recipe()
async def eavesdrop(job: Job, chat: str) -> str:
    try:
        return (await job.assign_task(desk, "Sum it up.", conversation=chat)).response
    except UserNotAllowed as error:
        return error.code


async def test_a_task_in_the_background_does_not_go_on_with_a_chat(opened: Open) -> None:
    async with opened(project) as app:
        chat = (await app.chat(desk, "hello", user="ann")).conversation_id

        assert await app.run(eavesdrop, chat=chat) == "user_not_allowed"
        assert [each.tasks for each in await _conversations(app)] == [1]


async def _conversations(app: Any) -> Any:
    return (await Insights(app.store).conversations()).items


# --- what a genie must not have for it ---


@project.skill(effect="idempotent", as_user="okta")
def reset_mfa() -> str:
    """Reset the second factor."""
    return "reset"


@project.skill(approval="legal")
def sign() -> str:
    """Sign the contract."""
    return "signed"


def policies(query: str, k: int, user: str | None) -> list[Passage]:
    """The policies."""
    return [Passage(f"{user} may read this.", "policies.md")]


handbook = project.knowledge("handbook", search=policies, permissioned=True)


@playbook
def reader(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer(turn.results[0].value[0]["text"])
    return Call("search_handbook", query="what may I read?")


async def test_what_needs_an_approval_or_verified_access_keeps_a_genie_from_chats(
    opened: Open,
) -> None:
    mighty = project.genie(
        "mighty", model=greeter, job_description="You do it.", skills=[reset_mfa, sign]
    )
    async with opened(project) as app:
        with pytest.raises(GenieNotEligible) as caught:
            await app.chat(mighty, "hello", user="ann")

    assert caught.value.message == (
        '"mighty" can\'t be talked to: skill "reset_mfa" acts as a verified user (okta); '
        'skill "sign" needs an approval by legal. Lampwork has no approvals and no verified user '
        "access yet. Talk to a genie without these skills."
    )


async def test_knowledge_that_depends_on_who_asks_is_searched_for_the_user(opened: Open) -> None:
    librarian = project.genie(
        "librarian", model=reader, job_description="You read.", knowledge=[handbook]
    )
    async with opened(project) as app:
        assert (await app.chat(librarian, "hello", user="ann")).response == "ann may read this."


# --- a message is a task ---


@project.skill(effect="idempotent")
async def hold(ticket: Metadata[str]) -> str:
    """Work on the ticket until the test lets go."""
    await held.setdefault(ticket, asyncio.Event()).wait()
    done.append(ticket)
    return f"{ticket} is done"


@playbook
def patient(turn: Turn) -> Call | Answer:
    return Answer(turn.results[0].value) if turn.results else Call("hold")


worker = project.genie("worker", model=patient, job_description="You work.", skills=[hold])


async def test_what_is_said_while_the_genie_is_busy_waits_in_line(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.send_message(worker, "one", user="ann", metadata={"ticket": "T1"})
        await eventually(lambda: "T1" in held)
        [chat] = await _conversations(app)
        later = []
        for ticket in ("T2", "T3"):
            sent = await app.send_message(
                worker,
                "more",
                user="ann",
                conversation=chat.conversation_id,
                metadata={"ticket": ticket},
            )
            await status(app, sent.job_id, "suspended")  # in line, before the next one is said
            later.append(sent)
        for ticket in ("T3", "T2", "T1"):  # in whatever order they could go on
            app._loop.call_soon(held.setdefault(ticket, asyncio.Event()).set)
        assert (await app.result(first.job_id))["response"] == "T1 is done"
        for each in later:
            await app.result(each.job_id)

    assert done == ["T1", "T2", "T3"]


async def test_metadata_goes_to_the_skills_and_not_to_the_model(opened: Open) -> None:
    async with opened(project) as app:
        held["T-4711"] = asyncio.Event()
        held["T-4711"].set()
        reply = await app.chat(worker, "do it", user="ann", metadata={"ticket": "T-4711"})

    assert reply.metadata == {"ticket": "T-4711"}
    assert str(reply.proof) == ("2 calls: 1 clean, 1 carried it from result of skill hold")


async def test_a_message_of_nobody_or_with_nothing_in_it_is_refused(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(InstructionsMissing, match='The message to genie "desk" is empty'):
            await app.chat(desk, "  ", user="ann")
        with pytest.raises(InputInvalid, match="Say whose message it is"):
            await app.chat(desk, "hello", user="")
        with pytest.raises(InputInvalid, match=r"chat\(data=…\): there is no such argument"):
            await app.chat(desk, "hello", user="ann", data=1)  # pyright: ignore[reportCallIssue]
        assert await _conversations(app) == ()


@playbook
def broken(turn: Turn) -> Answer:
    raise ValueError("no idea")


async def test_after_a_message_that_failed_the_chat_goes_on(opened: Open) -> None:
    mute = project.genie("mute", model=broken, job_description="You say nothing.")
    async with opened(project) as app:
        chat = (await app.chat(desk, "hello", user="ann")).conversation_id
        with pytest.raises(JobFailed, match="no idea"):
            await app.chat(mute, "and you?", user="ann", conversation=chat)

        again = await app.chat(desk, "still there?", user="ann", conversation=chat)

    assert again.response == "Before: hello, and you?."


async def test_a_playbook_that_declines_in_a_chat_is_told_to_say_it(opened: Open) -> None:
    @playbook
    def declining(_: Turn) -> CannotComplete:
        return CannotComplete("no idea")

    shy = project.genie("shy", model=declining, job_description="You decline.")
    async with opened(project) as app:
        with pytest.raises(JobFailed, match=r"CannotComplete in a chat\. Answer with what is in"):
            await app.chat(shy, "hello", user="ann")


async def test_the_record_says_whose_it_is(opened: Open) -> None:
    async with opened(project) as app:
        chat = (await app.chat(desk, "hello", user="ann")).conversation_id
        await app.assign_task(desk, "hello")

        assert [(each.kind, each.user) for each in await _conversations(app)] == [
            ("task", None),
            ("chat", "ann"),
        ]
        told = (await Insights(app.store).conversation(chat)).transcript[0]
        assert (told.kind, told.user, told.instructions) == ("told", "ann", "hello")  # type: ignore[union-attr]
        [job] = (await Insights(app.store).jobs(recipe="lampwork.job:chat")).items
        assert job.title == "a message in a chat"
