"""A plan that waits for a person: nothing of it runs before it is approved, as it was approved."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration import approving
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, ends_with, lead, of, subtask, summary
from tests.support import eventually, park, status
from tests.warm import ROOT, Warm

from lampwork import (
    Answer,
    Call,
    CannotComplete,
    Genie,
    Plan,
    Project,
    Settings,
    Turn,
)
from lampwork.door import Door
from lampwork.errors import (
    AlreadyAnswered,
    InputInvalid,
    JobEnded,
    OrchestratorInvalid,
    PlanRejected,
    ProposalChanged,
    WaitNotFound,
)
from lampwork.insights import Insights
from lampwork.store.jobs import cancelled
from lampwork.views import OrchestrationView, WaitingOn

asked: list[str] = []
"""What agents were asked."""


@pytest.fixture(autouse=True)
def _nobody_asked() -> None:
    asked.clear()


def desk(plan_approval: Any = "always", then: Any = None, **given: Any) -> Project:
    project = Project("desk")

    def working(name: str) -> Genie:
        def work(turn: Turn) -> Answer:
            asked.append(f"{turn.instructions} by {name}")
            return Answer(turn.instructions)

        return agent(project, name, work)

    team = [working("one"), working("other")]
    plan = [subtask("a", "one"), subtask("b", "one", depends_on=["a"])]
    more = {} if then is None else {"then": then}
    lead(project, team, plan, plan_approval=plan_approval, **more, **given)
    return project


async def proposed(app: Door, job_id: str, digest: str = "") -> OrchestrationView:
    """The orchestration of a job, once it proposes another plan than that of a digest."""

    async def look() -> OrchestrationView | None:
        [wait, *_] = (await Insights(app.store).view(job_id)).waiting_on or [None]
        while wait is not None and wait.waiting_on:
            [wait] = wait.waiting_on
        if not isinstance(wait, WaitingOn) or wait.kind != "approval":
            return None
        assert wait.subject is not None
        if wait.subject["digest"] == digest:
            return None
        return await Insights(app.store).orchestration(wait.subject["orchestration"])

    return await eventually(look)


def digest(found: OrchestrationView) -> str:
    approval = found.rounds[-1].approval
    assert approval is not None
    return approval.digest


async def test_nothing_runs_before_a_person_has_approved_of_it_also_over_a_restart(
    opened: Open,
) -> None:
    async with opened(desk()) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        [round] = [each.job_id for each in found.rounds]
        await park(app, round)
        [waiting] = (await Insights(app.store).view(job)).waiting_on

    assert asked == []
    assert waiting.waiting_on[0].what == "a person to approve the plan of lead, 2 subtasks"
    assert [each.status for each in found.subtasks] == ["waiting", "waiting"]
    async with opened(desk()) as app:
        of_lead = found.orchestration_id
        await app.approve_plan(of_lead, by="ann", digest=digest(found), reason="good")
        answer = await app.result(job)
        ended = await Insights(app.store).orchestration(of_lead)
        with pytest.raises(AlreadyAnswered, match="ann"):
            await app.reject_plan(of_lead, by="bob", digest=digest(found))

    assert asked == ["do a by one", "do b by one"]
    assert answer["response"] == "a succeeded, b succeeded"
    approval = ended.rounds[0].approval
    assert approval is not None
    assert approval.at is not None
    assert (approval.status, approval.by, approval.reason) == ("approved", "ann", "good")
    assert (approval.digest, approval.edits) == (digest(found), ())
    assert [each.attempts[0].status for each in ended.subtasks] == ["accepted", "accepted"]


async def test_an_edit_is_another_proposal_and_what_was_approved_is_what_runs(
    opened: Open,
) -> None:
    edited = [subtask("b", "other"), subtask("c", "one")]
    async with opened(desk()) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        of_lead, first = found.orchestration_id, digest(found)
        second = await app.edit_plan(of_lead, edited, by="ann", digest=first, reason="no a")
        for decide in (app.approve_plan, app.reject_plan):
            with pytest.raises(InputInvalid, match="by= is empty"):
                await decide(of_lead, by="", digest=second)
            with pytest.raises(ProposalChanged, match=f"`lampwork orchestration {of_lead}`"):
                await decide(of_lead, by="bob", digest=first)
        with pytest.raises(ProposalChanged):
            await app.edit_plan(of_lead, edited, by="bob", digest=first)
        with pytest.raises(InputInvalid, match="by= is empty"):
            await app.edit_plan(of_lead, edited, by="", digest=second)
        await app.approve_plan(of_lead, by="bob", digest=second)
        await app.result(job)
        [round] = (await Insights(app.store).orchestration(of_lead)).rounds

    assert sorted(asked) == ["do b by other", "do c by one"]
    assert list(round.plan) == edited
    assert round.approval is not None
    assert (round.approval.by, round.approval.digest) == ("bob", second)
    [edit] = round.approval.edits
    assert (edit.by, edit.reason) == ("ann", "no a")
    assert [(each.subtask, each.change) for each in edit.changes] == [
        ("b", "changed"),
        ("c", "added"),
        ("a", "dropped"),
    ]
    assert [(each.field, each.before, each.after) for each in edit.changes[0].fields] == [
        ("agent", "one", "other"),
        ("depends_on", ["a"], None),
    ]


WRONG: list[tuple[Any, str]] = [
    ([], "at least one"),
    ("a", "so: subtasks: Input should be a valid list"),
    ([subtask("a", "nobody")], 'no agent "nobody"'),
    ([subtask("a", "one", checks=["sound"])], 'no check "sound"'),
    ([subtask("a", "one", depends_on=["a"])], "wait for each other"),
    ([subtask("a", "one", colour="red")], "subtasks.0.colour"),
    ([subtask("a", "one", output="int")], "subtasks.0.output: output=.* is no type"),
    ([subtask("a", "one", output=[])], "output: output=.* is no type"),
    ([subtask("a", "one", seconds=1e30)], "subtasks.0.seconds: .* less than or equal"),
    ([subtask("a", "one", title="")], "subtasks.0.title: .* at least 1 character"),
    ([subtask("a", "one", inputs=[{"name": "x", "file": "x.csv"}])], 'no file "x.csv"'),
]


async def test_a_wrong_edit_changes_nothing(opened: Open) -> None:
    async with opened(desk()) as app:
        found = await proposed(app, await app.assign("lead", "Do it."))
        for edited, problem in WRONG:
            with pytest.raises(InputInvalid, match=problem):
                await app.edit_plan(found.orchestration_id, edited, by="ann", digest=digest(found))
        [before], [after] = (
            each.rounds
            for each in (found, await Insights(app.store).orchestration(found.orchestration_id))
        )

    assert (after.plan, after.approval) == (before.plan, before.approval)


async def test_a_rejected_plan_goes_back_with_the_reason_and_another_one_is_asked_about(
    opened: Open,
) -> None:
    project = Project("desk")
    told: list[str] = []

    def then(turn: Turn) -> Any:
        if (error := turn.results[-1].error) is not None:
            told.append(error)
            return Call("plan", subtasks=[subtask("b", "one")])
        return Answer(summary(turn))

    lead(project, [agent(project, "one")], [subtask("a", "one")], then=then, plan_approval="always")
    async with opened(project) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        of_lead = found.orchestration_id
        await app.reject_plan(of_lead, by="ann", digest=digest(found), reason="too dear.")
        again = await proposed(app, job, digest(found))
        await app.approve_plan(of_lead, by="ann", digest=digest(again))
        answer = await app.result(job)
        ended = await Insights(app.store).orchestration(of_lead)

    assert told == [
        "ann rejected it: too dear. Nothing of it has run. Plan it in another way that meets this, "
        "or say what can't be done."
    ]
    assert answer["response"] == "b succeeded"
    assert [(each.status, each.approval and each.approval.status) for each in ended.rounds] == [
        ("failed", "rejected"),
        ("succeeded", "approved"),
    ]
    assert [each["id"] for each in ended.rounds[0].plan] == ["a"]


async def test_an_orchestrator_whose_plans_are_rejected_again_and_again_ends_with_that(
    opened: Open,
) -> None:
    project = Project("desk")

    def then(_: Turn) -> Call:
        return Call("plan", subtasks=[subtask("a", "one")])

    lead(project, [agent(project, "one")], [subtask("a", "one")], then=then, plan_approval="always")
    async with opened(project) as app:
        job = await app.assign("lead", "Do it.")
        before = ""
        for _ in range(3):
            found = await proposed(app, job, before)
            before = digest(found)
            await app.reject_plan(found.orchestration_id, by="ann", digest=before, reason="no")
        with ends_with(PlanRejected, match="no plan that people approve of in 3 attempts"):
            await app.result(job)


async def test_a_function_says_which_plans_a_person_approves(opened: Open) -> None:
    seen: list[list[str]] = []

    async def over_one(plan: Plan) -> bool:
        seen.append([f"{each.id} by {each.agent}" for each in plan.subtasks])
        return any(each.id == "late" for each in plan.subtasks)

    def then(turn: Turn) -> Any:
        if "late" in of(turn):
            return Answer(summary(turn))
        return Call("revise", reason="one more", subtasks=[subtask("late", "other")])

    async with opened(desk(over_one, then)) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        before = list(asked)
        late = [subtask("late", "one")]
        with pytest.raises(InputInvalid, match='"a" is settled and stays'):
            await app.edit_plan(found.orchestration_id, late, by="ann", digest=digest(found))
        await app.approve_plan(found.orchestration_id, by="ann", digest=digest(found))
        await app.result(job)

    assert seen == [["a by one", "b by one"], ["a by one", "b by one", "late by other"]]
    assert before == ["do a by one", "do b by one"]
    assert [each.approval is not None for each in found.rounds] == [False, True]
    assert asked[2:] == ["do late by other"]


async def test_where_the_function_fails_a_person_is_asked(opened: Open) -> None:
    def broken(_: Plan) -> bool:
        raise ValueError("no price list")

    async with opened(desk(broken)) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        await app.approve_plan(found.orchestration_id, by="ann", digest=digest(found))
        await app.result(job)

    approval = found.rounds[0].approval
    assert approval is not None
    assert "no price list" in (approval.why or "")


async def test_an_agent_of_the_orchestrators_choice_is_approved_too_and_not_edited(
    opened: Open,
) -> None:
    project = Project("desk")

    def then(turn: Turn) -> Any:
        if of(turn)["a"]["status"] == "failed":
            return Call("delegate", subtask="a", agent="able")
        return Answer(summary(turn))

    unable = agent(project, "unable", lambda _: CannotComplete("no data"))
    team = [unable, agent(project, "able")]
    lead(project, team, [subtask("a", "unable")], then=then, plan_approval="always")
    async with opened(project) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        of_lead = found.orchestration_id
        await app.approve_plan(of_lead, by="ann", digest=digest(found))
        chosen = await proposed(app, job, digest(found))
        assert chosen.rounds[-1].chosen == {"a": "able"}
        edited = [subtask("a", "able")]
        with pytest.raises(InputInvalid, match="no plan to edit"):
            await app.edit_plan(of_lead, edited, by="ann", digest=digest(chosen))
        await app.approve_plan(of_lead, by="ann", digest=digest(chosen))
        answer = await app.result(job)

    assert answer["response"] == "a succeeded"


async def test_where_no_plan_waits_there_is_nothing_to_decide(opened: Open) -> None:
    async with opened(desk(None)) as app:
        task = await app.assign_task("lead", "Do it.")
        with pytest.raises(WaitNotFound, match="has no plan that waits"):
            await app.approve_plan(task.task_id, by="ann", digest="x")


@pytest.mark.usefixtures("place")
async def test_a_cancelled_plan_is_not_approved_and_waits_for_nobody(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    async with opened(desk()) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        await app.cancel(job)
        await status(app, job, "cancelled")
        with pytest.raises(JobEnded, match="was cancelled"):
            await app.approve_plan(found.orchestration_id, by="ann", digest=digest(found))
        ended = await Insights(app.store).orchestration(job)
        process = warm.start(["-m", "lampwork", "orchestration", job], cwd=tmp_path)
        shown, error = await asyncio.to_thread(process.communicate, timeout=60)

    assert asked == []
    assert [each.approval.status for each in ended.rounds if each.approval] == ["withdrawn"]
    assert f"withdrawn before anybody decided  {digest(found)[:12]}" in shown, error
    assert "waits to be approved" not in shown


async def test_a_plan_is_not_approved_while_its_orchestration_is_being_cancelled(
    opened: Open,
) -> None:
    async with opened(desk()) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        of_lead, seen = found.orchestration_id, digest(found)
        await app.store.write(cancelled.want_cancelled, job)  # which no process has heard of
        for decide in (app.approve_plan, app.reject_plan):
            with pytest.raises(JobEnded, match="cancelled"):
                await decide(of_lead, by="ann", digest=seen)
        with pytest.raises(JobEnded, match="cancelled"):
            await app.edit_plan(of_lead, [subtask("b", "one")], by="ann", digest=seen)

    assert asked == []


def test_what_plan_approval_says_is_checked() -> None:
    with pytest.raises(OrchestratorInvalid, match="plan_approval='sometimes' says nothing"):
        desk("sometimes")


@pytest.mark.usefixtures("place")
async def test_what_was_approved_runs_once_when_the_process_dies_before_it_has_begun(
    tmp_path: Path, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, home = tmp_path / "book", Path(os.environ["LAMPWORK_HOME"])
    monkeypatch.setenv("BOOK", str(book))
    words = ["-m", "lampwork", "worker", "tests.orchestration.approving:project"]
    env = {**os.environ, "LAMPWORK_FAILPOINTS": "wait.answered=kill"}
    settings = Settings(home=home, db=os.environ.get("LAMPWORK_DB"))
    async with Door.opened(approving.project, settings) as door:
        job = await door.assign(approving.leader, "Book it.")
        killed = warm.start(words, cwd=ROOT, env=env)
        found = await proposed(door, job)
        edited = [{"id": "b", "title": "B", "agent": "worker", "brief": "the edited plan"}]
        of_leader = found.orchestration_id
        second = await door.edit_plan(of_leader, edited, by="ann", digest=digest(found))
        await door.approve_plan(of_leader, by="ann", digest=second)
        await asyncio.to_thread(killed.communicate, timeout=60)
        before = book.exists()
        goes_on = warm.start(words, cwd=ROOT)
        answer = await door.result(job)
        goes_on.terminate()
        await asyncio.to_thread(goes_on.communicate, timeout=60)

    assert (killed.returncode, before) == (-signal.SIGKILL, False)
    assert answer["response"] == "the edited plan is booked"
    assert [line.split("\t")[0] for line in book.read_text().splitlines()] == ["the edited plan"]


@pytest.mark.usefixtures("place")
async def test_a_plan_is_looked_at_edited_and_approved_on_the_command_line(
    opened: Open, tmp_path: Path, warm: Warm
) -> None:
    async def typed(*words: str, fails: bool = False) -> str:
        process = warm.start(["-m", "lampwork", *words], cwd=tmp_path)
        out, error = await asyncio.to_thread(process.communicate, timeout=60)
        assert bool(process.returncode) == fails, error
        return out + error

    async with opened(desk()) as app:
        job = await app.assign("lead", "Do it.")
        found = await proposed(app, job)
        of_lead = found.orchestration_id
        jobs = await typed("jobs")
        before = await typed("orchestration", of_lead)
        (tmp_path / "plan.json").write_text(await typed("orchestration", of_lead, "plan"))
        plan = json.loads((tmp_path / "plan.json").read_text())
        (tmp_path / "plan.json").write_text(json.dumps([plan[0] | {"agent": "other"}]))
        why = ("--by", "ann", "--reason", "b is for later")
        await typed("orchestration", of_lead, "edit", "plan.json", *why)
        old = ("--digest", digest(found)[:12])
        refused = await typed("orchestration", of_lead, "approve", *old, fails=True)
        said = await typed("orchestration", job, "approve", "--by", "bob")
        await app.result(job)
        after = await typed("orchestration", of_lead)

    assert plan == [subtask("a", "one"), subtask("b", "one", depends_on=["a"])]
    assert "a person to approve the plan of lead, 2 subtasks" in jobs
    assert f"waits to be approved  {digest(found)[:12]}" in before
    assert f"lampwork orchestration {of_lead} approve" in before
    assert [each.strip() for each in before.splitlines() if "  by one" in each] == [
        "· a  A  waiting  by one",
        "· b  B  waiting  by one  after a",
    ]
    assert "\n      do b\n" in before, "who approves reads what agents are to be told"
    assert "Look at it again" in refused
    assert "Approved" in said
    assert asked == ["do a by other"]
    for line in ("edited by ann", "~a  agent: one → other", "approved by bob"):
        assert any(each.strip().startswith(line) for each in after.splitlines()), after
