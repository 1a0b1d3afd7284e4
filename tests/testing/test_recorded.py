"""Recorded conversations: a genie does again what it did, and what has changed since is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from lampwork import Answer, Call, Calls, Job, Metadata, Project, Sealed, testing
from lampwork.errors import InputInvalid, JobFailed, RecordingDiffers

acts: list[str] = []


class Receipt(BaseModel):
    number: int
    account: str


def shop(*, without: str = "", renamed: bool = False) -> Project:
    """The project, as it is or as it is later."""
    project = Project("shop")

    @project.skill(effect="read")
    def look_up(order: int) -> dict[str, Any]:
        """Look an order up."""
        acts.append(f"look up {order}")
        return {"total" if renamed else "cents": 500, "items": [{"name": f"lamp {order}"}]}

    @project.skill()
    def wire(cents: int, account: Metadata[str]) -> Receipt:
        """Wire money to the customer."""
        acts.append(f"wire {cents} to {account}")
        return Receipt(number=7, account=account)

    @project.skill(effect="idempotent")
    def refuse(why: str) -> str:
        """Refuse a refund."""
        raise ConnectionError("the printer is out")

    skills = [each for each in (look_up, wire, refuse) if each.name != without]
    project.genie("cashier", model="openai:gpt-5.2", job_description="You pay.", skills=skills)

    @project.recipe()
    async def refund(job: Job, account: str, order: int = 1) -> int:
        task = await job.assign_task(
            project.genies["cashier"],
            "Pay it back.",
            data={"order": order},
            metadata={"account": Sealed(account)},
            output=int,
        )
        return task.output

    return project


PAYS = testing.script(
    Calls(Call("look_up", order=1), Call("refuse", why="no")),
    Call("wire", cents=500),
    Answer("five hundred"),
    Answer(500),
)


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    acts.clear()


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """The recording of a refund to account DE-44-7117."""
    project, file = shop(), tmp_path / "refund.json"
    async with testing.opened(project, model=PAYS, patience=60.0) as app:
        job = await app.start(project.recipes["refund"], account="DE-44-7117")
        assert await app.result(job.job_id) == 500
        [found] = (await app.insights.conversations()).items
        await testing.record(app, found.conversation_id, file)
    acts.clear()
    return file


def play(project: Project, file: Path, **how: Any) -> int:
    played = {"cashier": testing.recorded(file, **how)}
    test = testing.opened(project, models=played, patience=60.0)
    return test.run(project.recipes["refund"], account="DE-99-0001")


def differs(project: Project, file: Path) -> str:
    with pytest.raises(RecordingDiffers) as raised:
        play(project, file)
    return str(raised.value)


def test_a_recorded_genie_does_again_what_it_did(file: Path) -> None:
    assert play(shop(), file) == 500
    assert sorted(acts) == ["look up 1", "wire 500 to DE-99-0001"]


def test_its_skills_may_return_what_they_returned_then_and_do_nothing(file: Path) -> None:
    assert play(shop(), file, skills="recorded") == 500
    assert acts == []


def test_no_metadata_is_in_a_recording(file: Path) -> None:
    text = file.read_text()

    assert "DE-44-7117" not in text
    [task] = json.loads(text)["tasks"]
    assert task["skills"] == ["look_up", "wire", "refuse"]
    assert [[each["name"] for each in turn["calls"]] for turn in task["turns"]] == [
        ["look_up", "refuse"],
        ["wire"],
        ["answer"],
        ["answer"],
    ]
    assert task["turns"][1]["results"] == [
        {
            "skill": "wire",
            "arguments": {"cents": 500},
            "value": {"number": 7, "account": "\u00abaccount\u00bb"},
        }
    ]


def test_a_skill_that_is_offered_no_more_is_named_at_the_first_turn(file: Path) -> None:
    said = differs(shop(without="refuse"), file)

    assert "Turn 1 of 'Pay it back.' is not as in" in said
    assert "it was offered refuse, and is not now" in said


def test_a_result_of_another_shape_is_named_at_the_turn_that_is_shown_it(file: Path) -> None:
    said = differs(shop(renamed=True), file)

    assert "Turn 2 of 'Pay it back.'" in said
    assert "the result of look_up: it had cents, and has not now; " in said
    assert "it has total, and had not then" in said


def test_what_is_no_recording_is_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    with pytest.raises(InputInvalid, match="can't be read"):
        testing.recorded(tmp_path / "none.json")
    other.write_text("{}")
    with pytest.raises(InputInvalid, match="is no recording"):
        testing.recorded(other)
    other.write_text(json.dumps(json.loads(file.read_text()) | {"lampwork_recording": 2}))
    with pytest.raises(InputInvalid, match="has format 2, and this Lampwork reads 1"):
        testing.recorded(other)


async def test_a_message_that_no_model_was_shown_is_not_in_a_recording(tmp_path: Path) -> None:
    card, file = Sealed("4111-1111"), tmp_path / "chat.json"
    script = testing.script(Answer("Hello."))
    async with testing.opened(shop(), model=script) as app:
        terms: Any = {"user": "ann", "metadata": {"account": card}}
        chat = (await app.chat("cashier", "hello", **terms)).conversation_id
        with pytest.raises(JobFailed, match="Nothing was sent"):
            await app.chat("cashier", "my card is 4111-1111", **terms, conversation=chat)
        await testing.record(app, chat, file)

    assert [task["instructions"] for task in json.loads(file.read_text())["tasks"]] == ["hello"]
