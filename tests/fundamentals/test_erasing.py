"""Erasing a person: what was said, given, saved and recorded goes; that work was done stays."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.behind import holding

from lampwork import (
    Answer,
    App,
    Budget,
    Call,
    File,
    Job,
    Metadata,
    Poll,
    Polled,
    Project,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.errors import (
    ConversationNotFound,
    ErasureRefused,
    InputInvalid,
    JobEnded,
    JobErased,
    JobFailed,
    TaskNotFound,
)
from lampwork.insights import Insights
from lampwork.place import Place
from lampwork.store.jobs import calls
from lampwork.store.store import Store
from lampwork.upkeep import pruning

from ..support import eventually, rows, status
from .conftest import Open

CANARY = "ann-canary-7f3a"
"""What is in all that there is of Ann, and in nothing else."""

project = Project("clinic")


@project.skill(effect="idempotent")
def write_letter(text: str, patient: Metadata[str], call: SkillCall) -> str:
    """Write a letter."""
    call.save_artifact("letter.txt", f"{patient}: {text}".encode(), "text/plain")
    return f"written to {patient}"


@project.skill
async def look_up(job: Job, patient: Metadata[str]) -> str:
    """Look the patient up."""
    job.log(f"looks up {patient}")
    return await job.step(large, patient)


def large(name: str) -> str:
    return name * 40_000


@playbook
def clerk(turn: Turn) -> Call | Answer:
    if len(turn.results) == 0:
        return Call("write_letter", text=turn.instructions)
    if len(turn.results) == 1:
        return Call("look_up")
    return Answer(f"Dear {turn.instructions}")


desk = project.genie(
    "desk", model=clerk, job_description="You write.", skills=[write_letter, look_up]
)


@playbook
def friend(turn: Turn) -> Answer:
    return Answer(f"You said {turn.instructions}.")


chats = project.genie("chats", model=friend, job_description="You chat.")


def goodbye(name: str) -> None:
    """What runs at the end."""


async def visit(job: Job, name: str) -> str:
    task = await job.assign_task(
        desk,
        f"invite {name}",
        data={"name": name},
        metadata={"patient": name},
        files=[File("card.txt", f"card of {name}".encode())],
        budget=Budget(skill_calls=5),
    )
    return task.response


@project.recipe()
async def treat(job: Job, names: list[str]) -> list[str]:
    for name in names:
        job.on_end(goodbye, name)
    letters = await job.map(visit, names)
    said = await job.wait_for("said", str)
    job.log(f"{said} of {names}")
    await job.step(large, names[0])
    return [*letters, said]


def fails(name: str) -> None:
    raise ValueError(f"no bed for {name}")


@project.recipe()
async def admit(job: Job, name: str) -> None:
    await job.assign_task(desk, "admit", metadata={"patient": name})
    await job.step(fails, name)


@project.recipe()
async def waits(job: Job, name: str) -> None:
    await job.assign_task(desk, "wait", metadata={"patient": name})
    await job.wait_for("never")


def new_patients(cursor: Any) -> Polled:
    return Polled([{"id": f"patient {CANARY}", "name": CANARY}], cursor=None)


@project.recipe(triggers=[Poll(new_patients, every=3600)])
async def welcome(job: Job, new: dict[str, str]) -> str:
    task = await job.assign_task(desk, "welcome", metadata={"patient": new["name"]})
    return task.response


async def treated(app: App, *names: str, key: str | None = None) -> str:
    job = await app.start(treat, names=list(names), idempotency_key=key)
    await status(app, job.job_id, "suspended")
    await app.send_event(job.job_id, "said", f"thank you, {names[0]}")
    await app.send_event(job.job_id, "said", f"unread: {names[0]}")
    await app.result(job.job_id)
    return job.job_id


async def test_afterwards_no_byte_of_the_person_is_left_and_all_else_is_there(
    opened: Open, tmp_path: Path
) -> None:
    async with opened(project) as app:
        job_id = await treated(app, CANARY, key=f"key {CANARY}")
        other_id = await treated(app, "bob")
        chat = await app.chat(chats, f"I am {CANARY}", user=CANARY)
        await app.chat(chats, "again", user=CANARY, conversation=chat.conversation_id)
        others = await app.chat(chats, "hello", user="bob")
        with pytest.raises(JobFailed) as failed:
            await app.run(admit, name=CANARY)
        retry = await app.retry(failed.value.job_id)
        with suppress(JobEnded):  # it may have failed by itself before
            await app.cancel(retry.job_id)
        [welcomed] = await app.fire(welcome)
        await app.result(welcomed)
        before = await Insights(app.store).job(job_id)

    held = set(holding(tmp_path / "state", CANARY))
    assert held >= {"engine.db", "lampwork.db"} or held >= {"jobs", "entries", "blobs", "calls"}
    async with opened(project) as app:
        there = await app.plan_erasure(user=CANARY, metadata={"patient": CANARY})
        gone = await app.erase(user=CANARY, metadata={"patient": CANARY}, cancel=True)
        assert (gone.trees, gone.conversations) == (6, there.amount.conversations)
        store = app.store

        tombstone = await Insights(store).job(job_id)
        kept = ("job_id", "recipe", "status", "created_at", "started_at", "ended_at", "version")
        for name in kept:
            assert getattr(tombstone, name) == getattr(before, name)
        assert (tombstone.input, tombstone.output, tombstone.calls) == ({}, None, ())
        assert tombstone.erased_at is not None
        assert tombstone.usage == before.usage

        assert await app.result(other_id) == ["Dear invite bob", "thank you, bob"]
        again = await app.chat(chats, "again", user="bob", conversation=others.conversation_id)
        assert again.response == "You said again."

        # What guards against doing things twice guards still.
        assert await app.fire(welcome) == []
        assert await app.start(treat, names=[CANARY], idempotency_key=f"key {CANARY}") == job_id
        place = store.place
    await asyncio.to_thread(_give_back, place)

    assert holding(tmp_path / "state", CANARY) == []
    assert holding(tmp_path / "state", "card of bob") != []


def _give_back(place: Place) -> None:
    store = Store(place)
    assert pruning.give_back(store).kept in (None, "the server gives it back by itself")
    store.close()


async def test_a_tombstone_says_what_it_is_to_whoever_asks(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as failed:
            await app.run(admit, name=CANARY)
        said = await app.chat(chats, "I am", user=CANARY)
        job_id = failed.value.job_id
        await app.erase(user=CANARY, metadata={"patient": CANARY})

        with pytest.raises(JobErased, match=f"Job {job_id} failed, and was erased"):
            await app.result(job_id)
        with pytest.raises(JobErased):
            await app.retry(job_id)
        with pytest.raises(TaskNotFound):
            await app.answer_task(f"t{job_id[1:]}.1", "x", by="bob")
        with pytest.raises(ConversationNotFound):
            await app.chat(chats, "on", user=CANARY, conversation=said.conversation_id)
        listed = await Insights(app.store).jobs()
        assert {each.job_id for each in listed.items if each.erased_at} >= {job_id}
        # What a process would record that was frozen in the job's last call.
        late = (calls.Leading(job_id, 1), 2, "step", "fails", 0.0, CANARY)
        assert not await app.store.write(calls.finish, *late)


async def test_what_has_not_ended_refuses_it_or_is_cancelled_first(opened: Open) -> None:
    async with opened(project) as app:
        job = await app.start(waits, name=CANARY)
        done = await app.assign_task(desk, "done", metadata={"patient": CANARY})
        # It is shown as suspended while it waits for a job below it, too.
        of_job = "select 1 from waits where job_id = :job and kind = 'event'"
        await eventually(lambda: rows(app, of_job, job=job.job_id))

        there = await app.plan_erasure(metadata={"patient": CANARY})
        with pytest.raises(ErasureRefused, match="--cancel") as refused:
            await app.erase(metadata={"patient": CANARY})

        assert there.unfinished == (job.job_id,)
        assert refused.value.jobs == [job.job_id]
        assert (await Insights(app.store).conversation(done.conversation_id)).transcript

        gone = await app.erase(metadata={"patient": CANARY}, cancel=True)

        assert gone.trees == 2
        assert (await Insights(app.store).view(job.job_id)).status == "cancelled"
        assert (await app.plan_erasure(metadata={"patient": CANARY})).amount.jobs == 0


async def test_all_that_wrote_to_one_conversation_goes_with_it(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.assign_task(desk, "of ann", metadata={"patient": CANARY})
        on = first.conversation_id
        await app.assign_task(desk, "of bob", metadata={"patient": "bob"}, conversation=on)
        await app.assign_task(desk, "of eve", metadata={"patient": "eve"})

        there = await app.plan_erasure(metadata={"patient": CANARY})

        assert (len(there.jobs), len(there.linked), there.conversations) == (1, 1, (on,))
        assert (await app.erase(metadata={"patient": CANARY})).trees == 2
        assert (await app.plan_erasure(metadata={"patient": "eve"})).amount.trees == 1


async def test_a_file_that_another_person_has_too_stays(opened: Open) -> None:
    async with opened(project) as app:
        file = File("leaflet.txt", b"for everybody")
        for name in (CANARY, "bob"):
            await app.assign_task(desk, "x", metadata={"patient": name}, files=[file])

        await app.erase(metadata={"patient": CANARY})
        left = await app.assign_task(desk, "y", metadata={"patient": "bob"}, files=[file])

        details = await Insights(app.store).conversation(left.conversation_id)
        assert [each.name for each in details.transcript[0].files] == ["leaflet.txt"]
        there = (await app.plan_erasure(metadata={"patient": "bob"})).conversations
        assert all([await Insights(app.store).requests(each) for each in there])


async def test_somebody_must_be_named(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="Say who"):
            await app.erase()
        assert (await app.erase(user="nobody")).jobs == 0
