"""Orchestrations over HTTP: what people decide about them, who may, and what readers are told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import pytest
from tests.orchestration.team import agent, lead, subtask
from tests.support import DEADLINE, eventually

from lampwork import Answer, Call, CannotComplete, Job, Project, SkillCall, Turn
from lampwork.client import Client
from lampwork.errors import (
    AlreadyAnswered,
    InputInvalid,
    JobNotFound,
    OutputTypeInvalid,
    ProposalChanged,
    SeveralOrchestrations,
    SubtaskSettled,
    TaskNotFound,
    WaitNotFound,
)
from lampwork.views import OrchestrationView

from .conftest import Serve


def desk() -> Project:
    project = Project("desk")
    team = [agent(project, "one"), agent(project, "other")]
    lead(project, team, [subtask("a", "one")], plan_approval="always")
    lead(project, team, [subtask("a", "one")], name="free")
    return project


async def proposed(client: Client, job_id: str) -> OrchestrationView:
    async def look() -> OrchestrationView | None:
        job = await client.tree(job_id)
        waits = [each for wait in job.waiting_on for each in wait.waiting_on]
        found = [each.subject for each in waits if each.kind == "approval" and each.subject]
        return await client.orchestration(found[0]["orchestration"]) if found else None

    return await eventually(look)


def digest(found: OrchestrationView) -> str:
    assert found.rounds[-1].approval is not None
    return found.rounds[-1].approval.digest


async def test_a_plan_is_edited_and_approved_and_the_audit_log_has_who(serve: Serve) -> None:
    async with serve(desk()) as api, Client(str(api.base_url)) as client:
        job = await client.assign("lead", "Do it.")
        found = await proposed(client, job.job_id)
        of_lead, first = found.orchestration_id, digest(found)
        with pytest.raises(InputInvalid, match="nobody") as refused:
            await client.edit_plan(of_lead, [subtask("a", "nobody")], digest=first)
        assert refused.value.problems[0].startswith('subtasks: subtask "a": there is no agent')
        edited = await client.edit_plan(job.job_id, [subtask("b", "other")], digest=first)
        with pytest.raises(ProposalChanged):
            await client.approve_plan(of_lead, digest=first)
        await client.approve_plan(of_lead, digest=digest(edited), reason="fine")
        answer = await client.result(job.job_id)
        with pytest.raises(AlreadyAnswered):
            await client.reject_plan(of_lead, digest=digest(edited))
        [round] = (await client.orchestration(of_lead)).rounds
        log = (await api.get("/api/projects/desk/audit")).json()["items"]
        free = await client.result((await client.assign("free", "Do it.")).job_id)
        with pytest.raises(WaitNotFound):
            await client.approve_plan(free["task_id"], digest=first)

    assert answer["response"] == "b succeeded"
    assert round.approval is not None
    assert (round.approval.by, round.approval.reason) == ("local", "fine")
    done = [(each["action"], each["who"], each["on"]) for each in reversed(log)]
    assert [each for each in done if each[0].startswith("plan.")] == [
        ("plan.edit", "local", of_lead),
        ("plan.approve", "local", of_lead),
    ]


async def test_who_follows_an_orchestration_is_told_when_a_subtask_moves(serve: Serve) -> None:
    project = Project("desk")
    team = [agent(project, "one"), agent(project, "other")]
    plan = [subtask("a", "one"), subtask("b", "other", depends_on=["a"])]
    lead(project, team, plan, plan_approval="always")
    seen: list[list[str]] = []
    async with serve(project) as api, Client(str(api.base_url)) as client:
        job = await client.assign("lead", "Do it.")
        found = await proposed(client, job.job_id)
        of_lead = found.orchestration_id
        following = client.follow(jobs=[], orchestrations=[of_lead])
        async with asyncio.timeout(DEADLINE), aclosing(following) as hints:
            async for hint in hints:
                if hint.kind == "everything":
                    await client.approve_plan(of_lead, digest=digest(found))
                    continue
                assert (hint.kind, hint.id) == ("orchestration", of_lead)
                shown = await client.orchestration(of_lead)
                seen.append([each.status for each in shown.subtasks])
                if shown.status == "answered":
                    break

    assert seen[-1] == ["succeeded", "succeeded"]


@pytest.mark.usefixtures("place")
async def test_who_follows_it_is_told_when_a_job_further_down_needs_attention(
    serve: Serve,
) -> None:
    project = Project("desk")

    def send() -> None:
        raise ConnectionError("cut off")

    @project.recipe()
    async def post(job: Job) -> None:
        """Post."""
        await job.wait_for("word")
        await job.options(effect="at_most_once").step(send)

    def posting(turn: Turn) -> Call | Answer:
        return Answer("posted") if turn.results else Call(post)

    lead(project, [agent(project, "one", posting, skills=[post])], [subtask("a", "one")])
    async with serve(project) as api, Client(str(api.base_url)) as client:
        job = (await client.assign("lead", "Do it.")).job_id
        below = f"{job}.1.2.0.1.2.0"

        async def rest() -> bool:
            with suppress(JobNotFound):
                views = [await client.view(each) for each in (job, f"{job}.1.2.0", below)]
                return all(each.status == "suspended" for each in views)
            return False

        await eventually(rest)
        of_lead = (await client.orchestration(job)).orchestration_id
        following = client.follow(jobs=[], orchestrations=[of_lead])
        async with asyncio.timeout(DEADLINE), aclosing(following) as hints:
            await anext(hints)
            await client.send_event(below, "word")
            async for _ in hints:
                found = await client.orchestration(of_lead)
                if found.status == "needs_attention":
                    break

    assert [each.status for each in found.subtasks] == ["needs_attention"]
    assert found.waiting_on[0].waiting_on[0].waiting_on[0].kind == "resolution"


@pytest.mark.usefixtures("place")
async def test_it_is_followed_by_the_id_of_its_job_as_well(serve: Serve) -> None:
    """From before it has planned anything, and of a job with several all of them."""
    project = desk()

    @project.recipe()
    async def twice(job: Job) -> None:
        await job.wait_for("go")
        await job.gather(*(job.assign_task("lead", each) for each in ("Do it.", "Do it again.")))

    decided: list[str] = []
    async with serve(project) as api, Client(str(api.base_url)) as client:
        job = (await client.start("twice")).job_id
        following = client.follow(jobs=[], orchestrations=[job])
        async with asyncio.timeout(DEADLINE), aclosing(following) as hints:
            async for hint in hints:
                if hint.kind == "everything":
                    await client.send_event(job, "go")
                    continue
                assert (hint.kind, hint.id) == ("orchestration", job)
                for each in (f"t{job[1:]}.2", f"t{job[1:]}.3"):
                    with suppress(TaskNotFound):  # it has planned nothing yet
                        found = await client.orchestration(each)
                        asked = found.rounds[-1].approval
                        if asked is not None and asked.status == "waiting":
                            await client.approve_plan(each, digest=asked.digest)
                            decided.append(each)
                if (await client.view(job)).status == "succeeded":
                    break
        with pytest.raises(SeveralOrchestrations) as raised:
            await client.orchestration(job)
        with pytest.raises(SeveralOrchestrations):
            await client.skip_subtask(job, "a")

    assert sorted(decided) == [f"t{job[1:]}.2", f"t{job[1:]}.3"]
    listed = [(each["orchestration_id"], each["status"]) for each in raised.value.orchestrations]
    assert listed == [(each, "answered") for each in sorted(decided)]


async def test_it_is_followed_by_the_id_of_a_round(serve: Serve) -> None:
    async with serve(desk()) as api, Client(str(api.base_url)) as client:
        job = (await client.assign("lead", "Do it.")).job_id
        found = await proposed(client, job)
        following = client.follow(jobs=[], orchestrations=[found.rounds[0].job_id])
        async with asyncio.timeout(DEADLINE), aclosing(following) as hints:
            await anext(hints)
            await client.approve_plan(job, digest=digest(found))
            hint = await anext(hints)

    assert (hint.kind, hint.id) == ("orchestration", found.rounds[0].job_id)


@pytest.mark.parametrize("id", ["t01m7x7p25ay70xnhxk.1", "j01m7x7p25ay70xnhxk"])
async def test_only_what_is_of_the_project_can_be_followed(serve: Serve, id: str) -> None:
    async with serve(desk()) as api:
        answered = await api.get(f"/api/events?orchestrations={id}")

    assert answered.status_code == 404


async def test_a_report_is_asked_for_and_fetched(serve: Serve) -> None:
    project = Project("desk")

    @project.skill(effect="idempotent")
    def note(call: SkillCall) -> str:
        """Note."""
        call.save_artifact("note.txt", b"noted", "text/plain")
        return "noted"

    def noting(turn: Turn) -> Call | Answer:
        return Answer("noted") if turn.results else Call(note)

    team = [agent(project, "clerk", noting, skills=[note])]
    team += [agent(project, "unable", lambda _: CannotComplete("no data"))]
    plan = [subtask("a", "clerk"), subtask("b", "unable")]
    lead(project, team, plan, then=lambda _: Answer({"title": "Done"}))
    async with serve(project) as api, Client(str(api.base_url)) as client:
        job = await client.assign("lead", "Do it.", report=True, allow_partial=True)
        answer = await client.result(job.job_id)
        ledger = await client.orchestration(answer["task_id"])
        by_job = await client.orchestration(job.job_id)
        [round] = ledger.rounds
        shown = [each.title async for each in client.jobs()]
        by_round = await client.orchestration(round.job_id)
        alone = await client.assign("clerk", "Do it.")
        await client.result(alone.job_id)
        with pytest.raises(TaskNotFound, match="has no orchestration"):
            await client.orchestration(alone.job_id)
        with pytest.raises(JobNotFound):
            await client.orchestration("j01m7x7p25ay70xnhxk")
        page = await client.artifact_of_task(answer["task_id"], "report.html")
        saved = await client.artifact(answer["conversation_id"], "note.txt")
        with pytest.raises(OutputTypeInvalid):
            await client.assign("clerk", "Do it.", report=True)
        with pytest.raises(InputInvalid, match="report or output"):
            await client.assign("lead", "Do it.", report=True, output={})

    assert (answer["status"], answer["output"]["title"]) == ("partial", "Done")
    assert by_job == by_round == ledger
    assert "plan of lead" in shown
    assert [each.name for each in ledger.artifacts] == ["report.html"]
    assert b"<h1>Done</h1>" in page
    assert saved == b"noted"


async def test_a_subtask_is_done_by_hand_and_the_audit_log_has_who_and_why(serve: Serve) -> None:
    project = Project("desk")

    async def hang(_: Turn) -> Answer:
        await asyncio.Event().wait()
        return Answer("never")

    team = [agent(project, "slow", hang), agent(project, "able")]
    plan = [subtask(each, "slow", required=each != "d") for each in "abcd"]
    lead(project, team, plan)
    async with serve(project) as api, Client(str(api.base_url)) as client:
        job = (await client.assign("lead", "Do it.")).job_id

        async def planned() -> OrchestrationView | None:
            tasks = [each.task for each in (await client.job(job)).calls if each.task is not None]
            try:
                return await client.orchestration(tasks[0].task_id) if tasks else None
            except TaskNotFound:
                return None

        of = (await eventually(planned)).orchestration_id
        with pytest.raises(InputInvalid, match="no agent"):
            await client.reassign_subtask(of, "a", "nobody")
        await client.reassign_subtask(of, "a", "able", reason="slow is ill")
        await client.answer_subtask(of, "b", "by hand")
        await client.skip_subtask(of, "d", reason="not now")
        await client.reassign_subtask(of, "c", "able")
        answer = await client.result(job)
        with pytest.raises(SubtaskSettled):
            await client.retry_subtask(of, "a")
        log = (await api.get("/api/projects/desk/audit")).json()["items"]

    assert [each["output"] for each in answer["sections"]] == [
        "able: do a",
        "by hand",
        "able: do c",
    ]
    found = [each for each in reversed(log) if each["action"].startswith("subtask.")]
    assert [(each["action"], each["details"]["subtask"], each["who"]) for each in found] == [
        ("subtask.reassign", "a", "local"),
        ("subtask.answer", "b", "local"),
        ("subtask.skip", "d", "local"),
        ("subtask.reassign", "c", "local"),
    ]
    assert found[0]["details"]["reason"] == "slow is ill"
