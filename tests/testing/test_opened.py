"""A project in a test of its user's: a folder and models of its own, and what these were shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lampwork import Answer, Call, Calls, Job, JobRef, Metadata, Project, Turn, playbook, testing
from lampwork.errors import (
    GenieNotFound,
    InputInvalid,
    JobFailed,
    LiveModelRefused,
    ScriptCallInvalid,
    ScriptEnded,
)

project = Project("shop")
wired: list[tuple[str, int]] = []


@project.skill(effect="idempotent")
def wire(cents: int, account: Metadata[str]) -> str:
    """Wire money to the customer."""
    wired.append((account, cents))
    return "wired"


cashier = project.genie(
    "cashier", model="openai:gpt-5.2", job_description="You pay.", skills=[wire]
)


@project.recipe()
async def refund(job: Job, account: str) -> str:
    task = await job.assign_task(
        cashier, "Pay 5 back.", data={"order": 7}, metadata={"account": account}
    )
    return task.response


@project.recipe()
async def two_refunds(job: Job) -> list[str]:
    first = await job.call(refund, account="DE-1")
    return [first, await job.call(refund, account="DE-2")]


@project.recipe()
async def order(job: Job) -> str:
    return await job.wait_for("colour", str)


PAYS = testing.script(Call("wire", cents=500), Answer("paid"))


@pytest.fixture(autouse=True)
def _nothing_wired() -> None:
    wired.clear()


async def test_a_genie_follows_the_script_of_a_test() -> None:
    async with testing.opened(project, models={"cashier": PAYS}) as app:
        assert await app.run(refund, account="DE-44-7117") == "paid"

    assert wired == [("DE-44-7117", 500)]


async def test_a_test_sees_what_the_model_was_shown_and_what_not() -> None:
    async with testing.opened(project, models={"cashier": PAYS}) as app:
        await app.run(refund, account="DE-44-7117")

    first, second = app.requests
    assert (first.genie, first.turn, first.skills) == ("cashier", 1, ("wire",))
    assert (first.instructions, first.data) == ("Pay 5 back.", {"order": 7})
    assert "Wire money to the customer." in first
    assert "wired" not in first
    assert "wired" in second
    assert all("DE-44-7117" not in each for each in app.requests)
    assert all("account" not in each.text for each in app.requests)


async def test_a_script_begins_anew_in_each_task() -> None:
    async with testing.opened(project, model=PAYS) as app:
        assert await app.run(two_refunds) == ["paid", "paid"]

    assert wired == [("DE-1", 500), ("DE-2", 500)]


async def test_a_script_that_runs_out_says_so() -> None:
    short = testing.script(Calls(Call("wire", cents=1), Call("wire", cents=2)))
    async with testing.opened(project, models={"cashier": short}) as app:
        with pytest.raises(ScriptEnded) as raised:
            await app.run(refund, account="DE-1")

    said = str(raised.value)
    assert "The script has 1 turn, and the task asks for turn 2" in said
    assert "the last results are wire: 'wired'; wire: 'wired'" in said


def test_a_script_takes_turns_and_nothing_else() -> None:
    with pytest.raises(InputInvalid, match="'paid' is no turn of a script"):
        testing.script(Call("wire", cents=1), "paid")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("turn", "problem"),
    [
        (Call("wier", cents=1), 'calls "wier", and the task is offered wire. Did you mean "wire"?'),
        (
            Call("wire", cent=1),
            'gives wire an argument "cent" that it does not take. Did you mean "cents"?',
        ),
        (Call("wire"), 'gives wire no "cents", which it needs.'),
        (Call("wire", cents="much"), "gives wire arguments that do not fit: cents: 'much' is not"),
        (Calls(Call("wire", cents=1), Call("look_up")), 'calls "look_up", and the task is offered'),
    ],
)
async def test_a_script_that_calls_what_there_is_not_fails_its_test(
    turn: Any, problem: str
) -> None:
    wrong = testing.script(turn, Answer("paid"))
    async with testing.opened(project, models={"cashier": wrong}) as app:
        with pytest.raises(ScriptCallInvalid) as raised:
            await app.run(refund, account="DE-1")

    assert f"Turn 1 of the script {problem}" in str(raised.value)
    assert wired == []


async def test_a_script_that_calls_a_withheld_skill_is_told_why_it_is_not_offered() -> None:
    async with testing.opened(project, model=PAYS) as app:
        with pytest.raises(
            ScriptCallInvalid, match=r"offered none\. A skill is withheld .* metadata"
        ):
            await app.assign_task(cashier, "Pay 5 back.")


async def test_a_playbook_plays_a_genie_as_well() -> None:
    @playbook
    def clerk(turn: Turn) -> Answer:
        return Answer(f"order {turn.data['order']} is refused")

    async with testing.opened(project, models={"cashier": clerk}) as app:
        assert await app.run(refund, account="DE-1") == "order 7 is refused"


async def test_a_model_of_a_provider_is_asked_only_when_the_test_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAMPWORK_MODEL", "openai:gpt-5.2")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with testing.opened(project) as app:
        with pytest.raises(LiveModelRefused) as refused:
            await app.run(refund, account="DE-1")
    async with testing.opened(project, models={"cashier": PAYS}) as app:
        assert await app.run(refund, account="DE-1") == "paid"
    async with testing.opened(project, live_models=True) as app:
        with pytest.raises(JobFailed) as asked:
            await app.run(refund, account="DE-1")

    assert 'Genie "cashier" would ask openai:gpt-5.2, and a test asks no' in str(refused.value)
    assert app.requests == []
    assert asked.value.error["code"] == "model_key_missing"


def test_who_plays_a_genie_that_there_is_not_is_refused() -> None:
    with pytest.raises(GenieNotFound, match='no genie "cashir"'):
        testing.opened(project, models={"cashir": PAYS})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"model": {"cashier": PAYS}}, r"model= is one model .* Give models=\{…\}"),
        ({"models": {"cashier": lambda turn: Answer("paid")}}, "is a plain function. Decorate it"),
        ({"models": {"cashier": Answer("paid")}}, r'models\["cashier"\]=Answer\(.* is no model'),
    ],
)
def test_what_plays_no_genie_is_refused_where_it_is_given(given: Any, problem: str) -> None:
    with pytest.raises(InputInvalid, match=problem):
        testing.opened(project, **given)


async def test_the_folder_is_of_the_test_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with testing.opened(project, model=PAYS) as app:
        home = app.settings.home
        assert "lampwork.db" in os.listdir(home)
    assert home not in home.parent.iterdir()
    assert os.listdir(tmp_path) == []


async def test_a_job_goes_on_where_the_project_is_opened_in_its_folder_again(
    tmp_path: Path,
) -> None:
    async with testing.opened(project, home=tmp_path) as app:
        job: JobRef = await app.start(order)
    async with testing.opened(project, home=tmp_path) as app:
        await app.send_event(job.job_id, "colour", "red")
        assert await app.result(job.job_id) == "red"


async def test_a_test_reads_the_record_of_what_happened() -> None:
    async with testing.opened(project, model=PAYS) as app:
        job = await app.start(refund, account="DE-1")
        await app.result(job.job_id)
        found: Any = await app.insights.conversation((await _conversations(app))[0])

    assert [fact.key for fact in found.metadata] == ["account"]
    assert str(found.task_records[0].proof) == "2 calls: 2 clean"


async def _conversations(app: testing.TestApp) -> list[str]:
    return [each.conversation_id for each in (await app.insights.conversations()).items]


def test_a_recipe_is_run_without_an_event_loop() -> None:
    test = testing.opened(project, model=PAYS)

    assert test.run(refund, account="DE-1") == "paid"
    assert len(test.requests) == 2
