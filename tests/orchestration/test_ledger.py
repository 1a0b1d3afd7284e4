"""The ledger of an orchestration: who has tried what, in the read model, the API and a terminal."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, lead, of, subtask, summary
from tests.support import eventually, status
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


LONG = "Get the orders of the second quarter from the {} and tell what they come to."


def revised_twice(project: Project) -> None:
    """The second revision is refused, the third one changes what is planned for long."""

    def then(turn: Turn) -> Any:
        if len(turn.results) == 1:
            wrong = subtask("c", "nobody")
            return Call("revise", reason="one more", subtasks=[wrong])
        if len(turn.results) == 2:
            other = subtask("b", "writer", brief=LONG.format("archive"), seconds=60)
            more = subtask("c", "writer", depends_on=["b"])
            return Call("revise", reason="it is down", subtasks=[other, more], drop=["d"])
        return Answer("done")

    unable = agent(project, "unable", lambda _: CannotComplete("no data"))
    plan = [
        subtask("a", "writer"),
        subtask("b", "unable", brief=LONG.format("warehouse")),
        subtask("d", "writer", depends_on=["b"]),
    ]
    lead(project, [agent(project, "writer"), unable], plan, then=then)


async def test_its_plans_are_compared(opened: Open, tmp_path: Path, warm: Warm) -> None:
    project = Project("desk")
    revised_twice(project)
    async with opened(project) as app:
        task = (await app.assign_task("lead", "Write it.")).task_id
        found = await Insights(app.store).orchestration(task)

    def said(*words: str, code: int = 0) -> list[str]:
        typed = ["-m", "lampwork", "orchestration", task, *words]
        process = warm.start(typed, cwd=tmp_path)
        out, error = process.communicate(timeout=60)
        assert process.returncode == code
        return (error if code else out).splitlines()

    assert [each.status for each in found.rounds] == ["succeeded", "failed", "succeeded"]
    shown = said()
    rounds = re.findall("^  ([0-9]+)  (plan|revise)  ", "\n".join(shown), re.MULTILINE)
    assert rounds == [("1", "plan"), ("2", "revise"), ("3", "revise")]
    long = "… from the warehouse and tell what they… → … from the archive and tell what they c…"
    assert f"    ~b  brief: {long}" in shown
    assert f"  # all that has changed: lampwork orchestration {task} compare" in shown
    compared = said("compare")
    assert compared == [
        "From the plan of round 1 to that of round 3 of lead",
        "  ~ b  B  by writer",
        "      agent",
        "        - unable",
        "        + writer",
        "      brief",
        f"        - {LONG.format('warehouse')}",
        f"        + {LONG.format('archive')}",
        "      seconds",
        "        + 60.0",
        "  + c  C  by writer",
        "  - d  D  by writer",
    ]
    assert said("compare", "1", "3") == compared
    assert said("compare", "3")[1:] == ["  Nothing has changed in the plan."]
    assert json.loads("".join(said("compare", "--json"))) == to_json(found.rounds[2].changes)
    assert json.loads("".join(said("plan", "--round", "1"))) == to_json(found.rounds[0].plan)
    assert json.loads("".join(said("plan"))) == to_json(found.rounds[2].plan)
    [refused] = said("compare", "2", code=2)
    assert refused.endswith("was refused and has no plan. Those with a plan are: 1, 3.")
    [lacking] = said("plan", "--round", "4", code=2)
    assert lacking.startswith("Error: There is no round 4 of orchestration ")


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


async def test_of_what_was_cancelled_it_shows_what_was_done_and_spent(opened: Open) -> None:
    project = Project("desk")
    asked: list[str] = []

    async def hanging(turn: Turn) -> Answer:
        asked.append(turn.instructions)
        await asyncio.Event().wait()
        return Answer("never")

    team = [agent(project, "able"), agent(project, "hanging", hanging)]
    plan = [
        subtask("a", "able"),
        subtask("b", "hanging", depends_on=["a"]),
        subtask("c", "able", depends_on=["b"]),
    ]
    lead(project, team, plan)
    async with opened(project) as app:
        job = await app.assign("lead", "Do it.")
        await eventually(lambda: asked)
        await app.cancel(job)
        await status(app, job, "cancelled")
        found = await Insights(app.store).orchestration(job)

    assert [
        (each.subtask, each.status, [attempt.status for attempt in each.attempts])
        for each in found.subtasks
    ] == [
        ("a", "succeeded", ["accepted"]),
        ("b", "cancelled", ["cancelled"]),
        ("c", "cancelled", []),
    ]
    assert found.usage["requests"] == 2  # of the lead and of a; that of b was cut off
    [round] = found.rounds
    assert [each["id"] for each in round.plan] == ["a", "b", "c"]
