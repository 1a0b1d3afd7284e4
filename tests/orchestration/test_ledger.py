"""The ledger of an orchestration: who has tried what, in the read model, the API and a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, lead, of, subtask, summary
from tests.warm import Warm

from lampwork import Answer, Call, CannotComplete, OrchestrationLimits, Project, TaskAnswer, Turn
from lampwork.insights import Insights
from lampwork.views import OrchestrationView, RoundView, to_json


def desk() -> Project:
    """One whose plan needs a second try, a fallback, a judge, a choice and a revision."""
    project = Project("desk")
    drafts: list[str] = []

    @project.acceptance_check
    def long_enough(answer: TaskAnswer[Any]) -> str | None:
        """The text has ten words."""
        return "it is too short" if len(answer.output) < 10 else None

    def write(turn: Turn) -> Answer:
        drafts.append(turn.instructions)
        return Answer("short" if len(drafts) == 1 else "long enough now")

    def judge(turn: Turn) -> Answer:
        good = turn.data["answer"] != "unable: do it"
        return Answer({"accepted": good, "reasons": [] if good else ["no figures"]})

    def then(turn: Turn) -> Any:
        found = of(turn)
        if found["hard"]["status"] == "failed":
            return Call("delegate", subtask="hard", agent="helper")
        if "more" not in found:
            return Call("revise", reason="one thing more", subtasks=[subtask("more", "helper")])
        return Answer(summary(turn))

    team = [
        agent(project, "writer", write),
        agent(project, "unable", lambda _: CannotComplete("no data")),
        agent(project, "helper"),
    ]
    plan = [
        subtask("text", "writer", checks=["long_enough"], rubric="figures"),
        subtask("hard", "unable", title="Hard to do"),
        subtask("last", "helper", depends_on=["hard"]),
    ]
    lead(
        project,
        team,
        plan,
        then=then,
        judge=agent(project, "judge", judge),
        limits=OrchestrationLimits(backoff=0),
    )
    return project


async def test_it_shows_rounds_attempts_verdicts_and_reasons(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    async with opened(desk()) as app:
        task = await app.assign_task("lead", "Write it.")
        found = await Insights(app.store).orchestration(task.task_id)
        by_job = await Insights(app.store).orchestration(found.job_id)

    assert by_job == found
    assert task.response == "text succeeded, hard succeeded, last succeeded, more succeeded"
    assert (found.orchestrator, found.status, found.error) == ("lead", "answered", None)
    assert [(each.verb, each.status, changes(each), each.chosen) for each in found.rounds] == [
        ("plan", "succeeded", ["added text", "added hard", "added last"], {}),
        ("delegate", "succeeded", [], {"hard": "helper"}),
        ("revise", "succeeded", ["added more"], {}),
    ]
    assert [each.reason for each in found.rounds] == [None, None, "one thing more"]
    assert [len(each.plan) for each in found.rounds] == [3, 3, 4]
    tried = {
        each.subtask: [(one.agent, one.why, one.status, one.reasons) for one in each.attempts]
        for each in found.subtasks
    }
    assert tried == {
        "text": [
            ("writer", "first", "rejected", ("it is too short",)),
            ("writer", "asked_again", "accepted", ()),
        ],
        "hard": [
            (
                "unable",
                "first",
                "failed",
                ('Genie "unable" could not complete the task: no data',),
            ),
            ("helper", "chosen", "accepted", ()),
        ],
        "last": [("helper", "first", "accepted", ())],
        "more": [("helper", "first", "accepted", ())],
    }
    first, again = found.subtasks[0].attempts
    assert first.conversation_id == again.conversation_id
    assert found.usage["requests"] == 4 + 3 + 2 + 1 + 1  # its own, text with its judge, the rest
    await _shows_the_same(found, tmp_path, warm)


async def test_a_title_may_be_long_and_is_cut_where_it_is_shown(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    """It is for show alone: no plan is refused for it."""
    project, title = Project("desk"), "Orders of the north and of the south, " * 20
    lead(project, [agent(project, "one")], [subtask("a", "one", title=title)])
    async with opened(project) as app:
        task = await app.assign_task("lead", "Do it.")

    assert [each.title for each in task.sections] == [title]
    process = warm.start(["-m", "lampwork", "orchestration", task.task_id], cwd=tmp_path)
    out, _ = process.communicate(timeout=60)
    assert "  ✓ a  Orders of the north and of the south, Orders of t…  succeeded" in out


def changes(round: RoundView) -> list[str]:
    return [f"{each.change} {each.subtask}" for each in round.changes]


async def _shows_the_same(found: OrchestrationView, tmp_path: Path, warm: Warm) -> None:
    def said(*words: str) -> str:
        typed = ["-m", "lampwork", "orchestration", *words]
        process = warm.start(typed, cwd=tmp_path)
        out, error = process.communicate(timeout=60)
        assert (process.returncode, error) == (0, "")
        return out

    out = said(found.orchestration_id)
    for line in (
        f"Orchestration {found.orchestration_id} of lead: answered",
        "✗ writer  rejected",
        "✓ helper  accepted  (chosen)",
    ):
        assert any(each.strip().startswith(line) for each in out.splitlines()), out
    assert json.loads(said(found.job_id, "--json")) == to_json(found)
