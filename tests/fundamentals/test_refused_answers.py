"""Answers that are not what a task asks for: asked for again, then the task's failure."""

from __future__ import annotations

import pytest

from lampwork import Answer, Metadata, Project, Turn, playbook
from lampwork.errors import JobFailed
from lampwork.insights import Insights
from lampwork.views import to_json

from .conftest import Open

project = Project("refused_answers")


@project.skill(effect="read")
def look_up(invoice_id: Metadata[str]) -> str:
    """Look the invoice up."""
    return invoice_id


@playbook
def careless(turn: Turn) -> Answer:
    return Answer("paid")


project.genie("careless", model=careless, job_description="You count.", skills=[look_up])


async def test_a_task_without_a_valid_answer_shows_each_attempt_and_its_proof_no_crash(
    opened: Open,
) -> None:
    async with opened(project) as app:
        given = {"output": int, "metadata": {"invoice_id": "INV-7"}}
        with pytest.raises(JobFailed) as raised:
            await app.assign_task("careless", "How many?", **given)
        found = await Insights(app.store).conversation(f"c{raised.value.job_id[1:]}.1")

    [task] = found.task_records
    assert (task.proof_in_words, task.proof.cut_off) == ("3 calls: 3 clean", 0)
    parts = [part for part in to_json(found.transcript) if part["kind"] != "said"]
    assert [part["kind"] for part in parts] == [
        "told",
        *("refused_answer", "asked_again") * 2,
        "refused_answer",
        "failed",
    ]
    assert [part["answer"] for part in parts if part["kind"] == "refused_answer"] == ["paid"] * 3
    assert "gave no valid answer in 3 attempts" in parts[-1]["reason"]
