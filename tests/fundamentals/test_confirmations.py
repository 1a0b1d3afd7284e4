"""Confirmations: a skill with `confirm=True` is done once its user has said so in the chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lampwork import (
    Answer,
    App,
    Budget,
    Call,
    Calls,
    Job,
    Metadata,
    Project,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.errors import (
    AlreadyAnswered,
    BudgetExceeded,
    GenieNotEligible,
    JobEnded,
    JobFailed,
    ProposalChanged,
    UserNotAllowed,
    WaitNotFound,
)
from lampwork.insights import Insights
from lampwork.testing import FakeClock
from lampwork.views import SkillCard, WaitingOn

from ..support import armed, dying, eventually, inside, park, result, rows, status
from .conftest import Open

done: list[str] = []
"""What was done outside."""


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


project = Project("shop")


@project.skill(confirm=True)
def refund(order: str, cents: int, customer: Metadata[str], call: SkillCall) -> str:
    """Refund an order. Use it when the user asks for it."""
    done.append(f"{cents} to {customer} for {order}, key {call.idempotency_key[-3:]}")
    return "refunded"


@project.skill(effect="read")
def look_up(order: str) -> int:
    """Look an order up."""
    done.append(f"looked up {order}")
    return 1200


@playbook
def clerk(turn: Turn) -> Call | Calls | Answer:
    match turn.results:
        case ():
            orders = turn.instructions.split()
            return Calls(
                Call("look_up", order=orders[0]),
                *(Call("refund", order=order, cents=1200) for order in orders),
            )
        case results:
            return Answer("; ".join(each.error or str(each.value) for each in results))


desk = project.genie("desk", model=clerk, job_description="You help.", skills=[look_up, refund])


async def say(app: App, orders: str = "A1", **terms: Any) -> str:
    """A message that makes the genie call `refund` for each of these orders."""
    metadata = {"customer": "C-1"}
    sent = await app.send_message(desk, orders, user="ann", metadata=metadata, **terms)
    return sent.job_id


@dataclass(frozen=True)
class Asked:
    wait: str
    subject: dict[str, Any]
    what: str

    @property
    def digest(self) -> str:
        return self.subject["digest"]


async def asked(app: App, job_id: str, count: int = 1) -> list[Asked]:
    """What the user is asked, once it is so much and nothing goes on beside it."""

    async def found() -> list[WaitingOn]:
        job = await Insights(app.store).view(job_id)
        waits = [each for each in job.waiting_on if each.kind == "confirmation"]
        return waits if len(waits) == count and job.status == "suspended" else []

    waits = await eventually(found, f"{job_id} never asked {count} times")
    questions = [Asked(each.wait_id or "", each.subject or {}, each.what) for each in waits]
    return sorted(questions, key=lambda each: each.wait)  # in the order of the calls


async def test_a_skill_waits_for_its_user_and_is_done_once_confirmed(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app)
        [question] = await asked(app, job_id)

        assert question.what == "ann to confirm refund(order='A1', cents=1200) for customer='C-1'"
        assert question.subject["says"] == "Refund an order. Use it when the user asks for it."
        assert (await status(app, job_id, "suspended")).status == "suspended"
        assert done == ["looked up A1"]  # what needs no confirmation does not wait

        await app.confirm(question.wait, by="ann", digest=question.digest)

        assert (await result(app, job_id))["response"] == "1200; refunded"
    assert done[1:] == ["1200 to C-1 for A1, key 2.1"]


async def test_a_rejected_skill_is_never_done_and_the_genie_is_told_why(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app)
        [question] = await asked(app, job_id)

        await app.reject(question.wait, by="ann", digest=question.digest, reason="too much")

        answer = await result(app, job_id)
    assert answer["response"] == (
        "1200; The user rejected this call, and it was not run. Reason: too much"
    )
    assert [each["status"] for each in answer["actions"]] == ["ok", "rejected"]
    assert done == ["looked up A1"]


async def test_a_proposal_outlives_the_process_and_is_asked_once(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app)
        [before] = await asked(app, job_id)
        await park(app, job_id)
    async with opened(project) as app:
        [after] = await asked(app, job_id)
        assert after == before

        await app.confirm(after.wait, by="ann", digest=before.digest)

        assert (await result(app, job_id))["response"] == "1200; refunded"
        assert await rows(app, "select count(*) from waits where kind = 'confirmation'") == [(1,)]
    assert len(done) == 2


@pytest.mark.parametrize("point", ["confirmation.decided", "confirmation.appended"])
async def test_a_run_that_dies_at_the_decision_does_it_once(opened: Open, point: str) -> None:
    async with opened(project, sweep_interval=0.1) as app:
        job_id = await say(app)
        [question] = await asked(app, job_id)
        died = dying(app, job_id)
        deaths = iter([died])
        with armed(point, lambda: next(deaths, lambda: None)()):
            await app.confirm(question.wait, by="ann", digest=question.digest)
            if point == "confirmation.decided":
                assert (await result(app, job_id))["response"] == "1200; refunded"
                assert len(done) == 2
                return
            # Its intent is on disk and it is to be done once at the most: nobody knows.
            await status(app, job_id, "needs_attention")
            [wait] = (await Insights(app.store).view(job_id)).waiting_on
            await app.resolve(wait.wait_id or "", "did_not_happen", by="ann")
            assert (await result(app, job_id))["response"] == "1200; refunded"
    assert len(done) == 2


async def test_several_are_decided_in_any_order(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app, "A1 B2 C3")
        first, second, third = await asked(app, job_id, 3)

        await app.reject(third.wait, by="ann", digest=third.digest)
        await app.confirm(second.wait, by="ann", digest=second.digest)
        await eventually(lambda: len(done) == 2)
        [task] = await rows(app, "select status from tasks")
        assert task == ("waiting",)
        await app.confirm(first.wait, by="ann", digest=first.digest)

        answer = await result(app, job_id)
    assert [each["status"] for each in answer["actions"]] == ["ok", "ok", "ok", "rejected"]
    assert [each.split(",")[0] for each in done[1:]] == ["1200 to C-1 for B2", "1200 to C-1 for A1"]


# --- whose decision it is, and on what ---


async def test_only_the_user_decides_only_on_what_was_seen_and_only_once(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app, "A1 B2")
        one, other = await asked(app, job_id, 2)

        with pytest.raises(UserNotAllowed, match="asks the user of its chat, who is not bob"):
            await app.confirm(one.wait, by="bob", digest=one.digest)
        with pytest.raises(ProposalChanged, match="Look at it again"):
            await app.confirm(one.wait, by="ann", digest=other.digest)
        with pytest.raises(WaitNotFound, match="not for a word on what became of an effect"):
            await app.resolve(one.wait, "happened", by="ann")
        with pytest.raises(WaitNotFound):
            await app.confirm("w0.1", by="ann", digest=one.digest)
        assert len(done) == 1

        await app.reject(one.wait, by="ann", digest=one.digest)
        for decide in (app.confirm, app.reject):
            with pytest.raises(AlreadyAnswered, match="already answered by ann"):
                await decide(one.wait, by="ann", digest=one.digest)
        await app.cancel(job_id)
        await status(app, job_id, "cancelled")
        with pytest.raises(JobEnded):
            await app.confirm(other.wait, by="ann", digest=other.digest)
    assert len(done) == 1


async def test_the_word_approved_in_a_chat_confirms_nothing(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app)
        [question] = await asked(app, job_id)
        [conversation] = (await Insights(app.store).conversations()).items
        also = await app.send_message(
            desk, "approved", user="ann", conversation=conversation.conversation_id
        )
        await status(app, also.job_id, "suspended")  # in line

        assert [each.wait for each in await asked(app, job_id)] == [question.wait]
    assert done == ["looked up A1"]


async def test_the_same_arguments_twice_have_two_digests(opened: Open) -> None:
    async with opened(project) as app:
        digests = {(await asked(app, await say(app)))[0].digest for _ in range(2)}

    assert len(digests) == 2


def _shop(also: str) -> Project:
    """The shop; what its skill does besides is another thing in each of its versions."""
    shop = Project("shop")
    names: dict[str, Any] = {"done": done}
    exec(
        "def refund(order: str, cents: int) -> str:\n"
        "    'Refund an order.'\n"
        f"    done.append(f'{{cents}} for {{order}}{also}')\n"
        "    return 'refunded'\n",
        names,
    )
    skill = shop.skill(confirm=True)(names["refund"])
    shop.genie("desk", model=clerk, job_description="You help.", skills=[look_up, skill])
    return shop


async def test_a_skill_that_has_changed_since_is_proposed_anew(opened: Open) -> None:
    async with opened(_shop("")) as app:
        sent = await app.send_message("desk", "A1", user="ann")
        [before] = await asked(app, sent.job_id)
    async with opened(_shop(", and a voucher")) as app:
        await app.confirm(before.wait, by="ann", digest=before.digest)
        [after] = await eventually(lambda: _anew(app, sent.job_id, before))

        assert (after.wait, after.digest) != (before.wait, before.digest)
        assert done == ["looked up A1"]
        await app.confirm(after.wait, by="ann", digest=after.digest)
        await result(app, sent.job_id)
        [conversation] = (await Insights(app.store).conversations()).items
        card = await _card(app, conversation.conversation_id, "refund")
    assert done[1:] == ["1200 for A1, and a voucher"]
    assert [note["why"] for note in card.notes] == [
        "the code of refund has changed since it was proposed"
    ]


def _shop_with(takes: str) -> Project:
    """The shop, whose skill takes what it takes; another one takes the customer in any case."""
    shop = Project("shop")
    names: dict[str, Any] = {"done": done, "Metadata": Metadata}
    exec(
        f"def refund(order: str, cents: int{takes}) -> str:\n"
        "    'Refund an order.'\n"
        "    done.append(order)\n"
        "    return 'refunded'\n"
        "def greet(customer: Metadata[str]) -> None:\n"
        "    'Greet the customer.'\n",
        names,
    )
    skills = [shop.skill(confirm=True)(names["refund"]), shop.skill(effect="read")(names["greet"])]
    shop.genie("desk", model=clerk, job_description="You help.", skills=[look_up, *skills])
    return shop


@pytest.mark.parametrize(
    "takes", [("", ", customer: Metadata[str]"), (", customer: Metadata[str]", "")]
)
async def test_what_is_proposed_anew_shows_the_metadata_that_it_takes_now(
    opened: Open, takes: tuple[str, str]
) -> None:
    async with opened(_shop_with(takes[0])) as app:
        sent = await app.send_message("desk", "A1", user="ann", metadata={"customer": "C-1"})
        [before] = await asked(app, sent.job_id)
    async with opened(_shop_with(takes[1])) as app:
        await app.confirm(before.wait, by="ann", digest=before.digest)
        [after] = await eventually(lambda: _anew(app, sent.job_id, before))

    assert ["C-1" in each.what for each in (before, after)] == [bool(each) for each in takes]


async def _anew(app: App, job_id: str, before: Asked) -> list[Asked]:
    found = await asked(app, job_id)
    return [each for each in found if each.wait != before.wait]


async def _card(app: App, conversation_id: str, skill: str) -> SkillCard:
    parts = (await Insights(app.store).conversation(conversation_id)).transcript
    [card] = [each for each in parts if isinstance(each, SkillCard) and each.skill == skill]
    return card


# --- a recipe, a budget, a deadline, the record ---


@project.skill(confirm=True)
async def ship(job: Job, parcel: str) -> str:
    """Ship a parcel: a recipe as a skill."""
    return await job.step(carry, parcel)


def carry(parcel: str) -> str:
    done.append(f"carried {parcel}")
    return f"{parcel} is on its way"


@playbook
def shipping(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer(turn.results[0].error or turn.results[0].value)
    return Call("ship", parcel="P1")


porter = project.genie("porter", model=shipping, job_description="You ship.", skills=[ship])


@pytest.mark.parametrize("verb", ["confirm", "reject"])
async def test_a_recipe_is_confirmed_before_its_job_is_there(opened: Open, verb: str) -> None:
    async with opened(project) as app:
        sent = await app.send_message(porter, "Ship it.", user="ann")
        [question] = await asked(app, sent.job_id)
        assert len((await Insights(app.store).jobs()).items) == 1

        await getattr(app, verb)(question.wait, by="ann", digest=question.digest)

        answer = await result(app, sent.job_id)
        jobs = len((await Insights(app.store).jobs()).items)
    if verb == "confirm":
        assert (answer["response"], jobs, done) == ("P1 is on its way", 2, ["carried P1"])
    else:
        assert (jobs, done) == (1, [])


async def test_what_is_proposed_counts_as_a_call_of_the_budget_once(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app, "A1", budget=Budget(skill_calls=2))
        [question] = await asked(app, job_id)
        await app.confirm(question.wait, by="ann", digest=question.digest)
        await result(app, job_id)
        assert await rows(app, "select spent_skill_calls from budgets") == [(2,)]

        job_id = await say(app, "A1 B2", budget=Budget(skill_calls=2))
        with pytest.raises(JobFailed) as caught:
            await app.result(job_id)
    assert caught.value.error["code"] == BudgetExceeded.code
    assert len(done) == 2


async def test_at_the_deadline_nobody_is_asked_any_more(opened: Open, stopped: FakeClock) -> None:
    async with opened(project) as app:
        job_id = await say(app, deadline=60)
        [question] = await asked(app, job_id)
        await inside(app, stopped.advance(seconds=60, while_executing=True))
        with pytest.raises(JobFailed, match="deadline"):
            await app.result(job_id)
        with pytest.raises(AlreadyAnswered, match="by clock"):
            await app.confirm(question.wait, by="ann", digest=question.digest)
    assert done == ["looked up A1"]


async def test_a_person_who_answers_in_the_genies_place_ends_the_question(opened: Open) -> None:
    async with opened(project) as app:
        sent = await app.send_message(porter, "Ship it.", user="ann")
        [question] = await asked(app, sent.job_id)
        await status(app, sent.job_id, "suspended")
        [(task,)] = await rows(app, "select id from tasks")

        await app.answer_task(task, "We have no parcels.", by="bob")

        assert (await result(app, sent.job_id))["response"] == "We have no parcels."
        with pytest.raises(AlreadyAnswered):
            await app.confirm(question.wait, by="ann", digest=question.digest)
    assert done == []


async def test_the_record_shows_the_question_and_the_decision(opened: Open) -> None:
    async with opened(project) as app:
        job_id = await say(app)
        [question] = await asked(app, job_id)
        [conversation] = (await Insights(app.store).conversations()).items
        before = await _card(app, conversation.conversation_id, "refund")
        await app.confirm(question.wait, by="ann", digest=question.digest)
        await result(app, job_id)
        after = await _card(app, conversation.conversation_id, "refund")

    user = {"user": "ann", "digest": question.digest}
    assert (before.status, before.confirmation) == ("proposed", user)
    decided = {"verdict": "approved", "by": "ann", "reason": ""}
    assert (after.status, after.confirmation) == ("ok", user | decided)


async def test_in_the_background_there_is_still_nobody_to_confirm(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(GenieNotEligible, match="needs the confirmation of its user"):
            await app.assign_task(desk, "A1", metadata={"customer": "C-1"})
    assert done == []
