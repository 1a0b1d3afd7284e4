"""An orchestration that can't go on without a person says so, and what that person may type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, lead, subtask
from tests.support import park, result, sql, status
from tests.warm import Warm

from lampwork import Answer, App, Call, Job, Project
from lampwork.insights import Insights
from lampwork.views import OrchestrationView


def desk() -> Project:
    """One agent does what may have happened, one has it done by a recipe, one waits, one works."""
    project = Project("desk")

    @project.skill(effect="at_most_once")
    def pay(what: str) -> str:
        """Pay."""
        raise ConnectionError("cut off")

    def send() -> None:
        raise ConnectionError("cut off")

    @project.recipe()
    async def post(job: Job) -> str:
        """Post."""
        await job.options(effect="at_most_once").step(send)
        return "posted"

    @project.recipe()
    async def hear(job: Job) -> str:
        """Hear."""
        return await job.wait_for("word", str)

    def using(skill: Any, **given: Any) -> Any:
        return lambda turn: Answer(turn.results[0].value) if turn.results else Call(skill, **given)

    team = [
        agent(project, "payer", using("pay", what="rent"), skills=[pay]),
        agent(project, "poster", using("post"), skills=[post]),
        agent(project, "hearer", using("hear"), skills=[hear]),
        agent(project, "one"),
    ]
    for each in ("payer", "poster", "hearer"):
        plan = [subtask("a", each), subtask("b", "one"), subtask("c", "one", depends_on=["a"])]
        lead(project, team, plan, name=f"with_{each}")
    return project


async def ledger(app: App, job: str) -> OrchestrationView:
    return await Insights(app.store).orchestration(job)


def subtasks(found: OrchestrationView) -> list[str]:
    return [each.status for each in found.subtasks]


async def test_an_effect_that_may_have_happened_needs_a_person(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    async with opened(desk()) as app:
        job = await app.assign("with_payer", "Pay it.")
        round = f"{job}.1.2.0"
        await status(app, round, "needs_attention")
        await status(app, job, "suspended")
        found = await ledger(app, job)
        [[asked]] = [each.waiting_on for each in found.waiting_on]
        said = _typed(warm, tmp_path, found.orchestration_id)
        await app.resolve(asked.wait_id, "happened", result="paid", by="ann")
        answer = await result(app, job)
        over = await ledger(app, job)

    assert (found.status, found.rounds[0].status) == ("needs_attention", "needs_attention")
    assert subtasks(found) == ["needs_attention", "succeeded", "waiting"]
    assert [each.status for each in found.subtasks[0].attempts] == ["needs_attention"]
    assert (asked.kind, asked.task) == ("resolution", found.subtasks[0].attempts[0].task_id)
    lines = [each.strip() for each in said]
    assert lines[0] == f"Orchestration {found.orchestration_id} of with_payer: needs_attention"
    assert "? a  A  needs_attention  1 request" in lines
    assert any(each.startswith("? payer  needs_attention  ") for each in lines)
    waits = lines[lines.index("Waits for") + 1 :]
    assert waits[0].startswith("whether pay(what='rent') happened: ConnectionError: cut off, for ")
    assert waits[2:] == [
        f"lampwork job {round} resolve {asked.wait_id} {said}"
        for said in ("happened --result JSON", "did_not_happen", "fail --reason TEXT")
    ]
    assert answer["response"] == "a succeeded, b succeeded, c succeeded"
    assert (over.status, over.waiting_on) == ("answered", ())
    assert subtasks(over) == ["succeeded"] * 3


@pytest.mark.usefixtures("place")
async def test_also_one_further_down_in_a_job_that_an_agent_has_started(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    async with opened(desk()) as app:
        job = await app.assign("with_poster", "Post it.")
        below = f"{job}.1.2.0.1.2.0"
        await status(app, below, "needs_attention")
        await status(app, f"{job}.1.2.0", "suspended")
        found = await ledger(app, job)
        said = _typed(warm, tmp_path, job)
        await app.cancel(job)

    assert (found.status, found.rounds[0].status) == ("needs_attention", "suspended")
    assert subtasks(found) == ["needs_attention", "succeeded", "waiting"]
    assert f"    lampwork job {below} resolve w{below[1:]}.1 did_not_happen" in said


@pytest.mark.parametrize("of", ["the round", "the job"])
async def test_so_does_a_job_of_it_that_was_stopped(
    opened: Open, tmp_path: Path, warm: Warm, of: str
) -> None:
    async with opened(desk()) as app:
        job = await app.assign("with_hearer", "Hear it.")
        for each in (f"{job}.1.2.0.1.2.0", f"{job}.1.2.0", job):
            await status(app, each, "suspended")
            await park(app, each)
        before = await ledger(app, job)
        stopped = job if of == "the job" else f"{job}.1.2.0"
        why = "want = 'attention', status = 'needs_attention', attention = 'it ends its process'"
        await sql(app, f"update jobs set {why} where id = :id", id=stopped)
        found = await ledger(app, job)
        said = _typed(warm, tmp_path, job)

    assert (before.status, subtasks(before)) == ("working", ["working", "succeeded", "waiting"])
    assert found.status == "needs_attention"
    at_work = "working" if of == "the job" else "needs_attention"  # the round goes on by itself
    assert subtasks(found) == [at_work, "succeeded", "waiting"]
    assert said[-1] == f"    lampwork job {stopped} go-on"
    assert said[-3].endswith(": it ends its process")


def _typed(warm: Warm, cwd: Path, id: str) -> list[str]:
    process = warm.start(["-m", "lampwork", "orchestration", id], cwd=cwd)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    return out.splitlines()
