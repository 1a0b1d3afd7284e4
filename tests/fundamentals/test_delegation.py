"""Delegation: a genie's skill may be a recipe that assigns tasks to other genies."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from lampwork import (
    Answer,
    Call,
    Calls,
    CannotComplete,
    File,
    Job,
    Metadata,
    Project,
    Turn,
    playbook,
)
from lampwork.errors import JobFailed, TaskNotCompleted
from lampwork.insights import Insights
from lampwork.tasks.action import Action, DelegatedTask
from lampwork.tasks.answer import TaskAnswer

from ..support import eventually, result, rows
from .conftest import Open


@playbook
def delegator(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer(turn.results[-1].value or turn.results[-1].error)
    return Call(turn.skills[0])


def _chain(length: int) -> tuple[Project, list[Any]]:
    """Genies of which each delegates to the next by a recipe; the last one has none."""
    project = Project("chain")
    skills: list[Any] = []
    for number in reversed(range(length)):
        genie = project.genie(
            f"g{number}", model=delegator if skills else answerer, job_description="", skills=skills
        )

        def delegate(genie: Any = genie) -> Any:
            async def recipe(job: Job) -> str:
                return (await job.assign_task(genie, "Go on.")).output

            return recipe

        skills = [project.recipe(name=f"ask_g{number}")(delegate())]
    return project, skills


@playbook
def answerer(turn: Turn) -> Answer:
    return Answer("at the bottom")


async def test_five_genies_may_delegate_one_to_the_next(tmp_path: Path) -> None:
    project, (top,) = _chain(5)
    async with project.open(tmp_path) as app:
        assert await app.run(top) == "at the bottom"


async def test_a_sixth_is_too_deep_and_is_asked_nothing(tmp_path: Path) -> None:
    project, (top,) = _chain(6)
    async with project.open(tmp_path) as app:
        answer = await app.run(top)
    assert "g0 → g1 → g2 → g3 → g4 → g5: 5 tasks" in answer


async def test_a_genie_can_not_delegate_to_itself(tmp_path: Path) -> None:
    project = Project("circle")

    @project.recipe()
    async def ask_again(job: Job) -> str:
        return (await job.assign_task("circular", "Go on.")).output

    project.genie("circular", model=delegator, job_description="", skills=[ask_again])
    async with project.open(tmp_path) as app:
        answer = await app.assign_task("circular", "Go on.")
    assert 'Genie "circular" already works above this task (circular → circular)' in answer.output


# --- what was done below is told with what was done ---

office = Project("office")


@office.skill(effect="read")
def measure(name: str) -> str:
    """Measure something."""
    if name == "nothing":
        raise ValueError("there is nothing")
    return "x" * 5000 if name == "long" else f"{name} is 3 m"


@office.skill(effect="read")
def whose(name: str, owner: Metadata[str] = "nobody") -> str:
    """Whose it is."""
    return owner


@playbook
def measuring(turn: Turn) -> Call | Answer | CannotComplete:
    if not turn.results:
        return Call("measure", name=turn.instructions)
    if turn.results[0].error:
        return CannotComplete("it can't be measured")
    return Answer(turn.results[0].value[:20])


surveyor = office.genie("surveyor", model=measuring, job_description="", skills=[measure])


@office.recipe()
async def measure_one(job: Job, name: str) -> str:
    return (await job.assign_task(surveyor, name)).output


@office.recipe()
async def measure_all(job: Job, names: list[str]) -> list[str]:
    """Measure many things: one at once, the others by jobs of their own."""
    first, *others = names
    try:
        said = [(await job.assign_task(surveyor, "nothing")).output]
    except TaskNotCompleted:
        said = [(await job.assign_task(surveyor, first)).output]
    said += await job.map(measure_one, others)
    return [*said, await job.call(measure_one, first)]


@playbook
def foreman_script(turn: Turn) -> Calls | Answer:
    if not turn.results:
        return Calls(Call("measure_all", names=["door", "wall"]), Call("measure", name="long"))
    [surveyed] = [result for result in turn.results if result.skill == "measure_all"]
    return Answer(" | ".join(surveyed.value))


foreman = office.genie(
    "foreman", model=foreman_script, job_description="", skills=[measure_all, measure]
)


@office.recipe()
async def survey(job: Job) -> str:
    """Let the foreman survey."""
    return (await job.assign_task(foreman, "Survey.")).output


@playbook
def chief_script(turn: Turn) -> Call | Answer:
    return Answer(turn.results[0].value) if turn.results else Call("survey")


chief = office.genie("chief", model=chief_script, job_description="", skills=[survey])


def _measured(task: str, name: str, *, status: str = "ok") -> DelegatedTask:
    """What the surveyor's task did."""
    failed = status == "error"
    return DelegatedTask(
        task_id=task,
        job_id=f"j{task[1:].rpartition('.')[0]}",
        genie="surveyor",
        status="failed" if failed else "answered",
        conversation_id=f"c{task[1:]}",
        actions=(
            Action(
                "2.0",
                "measure",
                {"name": name},
                status,
                error="measure failed: ValueError: there is nothing" if failed else None,
                result=None if failed else f"{name} is 3 m",
            ),
        ),
        error='Genie "surveyor" could not complete the task: it can\'t be measured'
        if failed
        else None,
    )


async def test_actions_tell_of_every_task_below_down_to_the_bottom(opened: Open) -> None:
    async with opened(office) as app:
        answer = await app.assign_task(chief, "Survey.")
        details = await Insights(app.store).conversation(answer.actions[0].tasks[0].conversation_id)
        # Of two calls side by side, whichever ends first is written down first.
        result_of = "kind = 'result' and cast(body as text) like '%\"call\":\"2.1\"%'"
        [(entry,)] = await rows(app, f"select seq from entries where {result_of}")
    assert answer.output == "door is 3 m | wall is 3 m | door is 3 m"
    job = f"j{answer.task_id[1:].rpartition('.')[0]}.1.2.0"  # the one that the chief's call started
    below = f"{job}.1.2.0"  # and the one that the foreman's call did
    assert answer.actions == (
        Action(
            "2.0",
            "survey",
            {},
            "ok",
            result="door is 3 m | wall is 3 m | door is 3 m",
            job=job,
            tasks=(
                DelegatedTask(
                    task_id=f"t{job[1:]}.1",
                    job_id=job,
                    genie="foreman",
                    status="answered",
                    conversation_id=f"c{job[1:]}.1",
                    actions=(
                        Action(
                            "2.0",
                            "measure_all",
                            {"names": ["door", "wall"]},
                            "ok",
                            result=["door is 3 m", "wall is 3 m", "door is 3 m"],
                            job=below,
                            tasks=(
                                _measured(f"t{below[1:]}.1", "nothing", status="error"),
                                _measured(f"t{below[1:]}.2", "door"),
                                _measured(f"t{below[1:]}.3.0.1", "wall"),
                                _measured(f"t{below[1:]}.4.1", "door"),
                            ),
                        ),
                        Action("2.1", "measure", {"name": "long"}, "ok", entry=entry),
                    ),
                ),
            ),
        ),
    )
    # What is too large to stand in an answer is in the conversation that is named beside it.
    long = [each for each in details.transcript if each.kind == "skill_call"][1]
    assert long.result == "x" * 5000


async def test_an_error_tells_of_them_too(opened: Open) -> None:
    @playbook
    def hopeless(turn: Turn) -> Call | CannotComplete:
        return CannotComplete("no") if turn.results else Call("measure_one", name="door")

    weak = office.genie("weak", model=hopeless, job_description="", skills=[measure_one])
    async with opened(office) as app:
        with pytest.raises(JobFailed) as caught:
            await app.assign_task(weak, "Measure.")
    fields = caught.value.error["fields"]
    [action] = fields["actions"]
    assert (action["skill"], action["status"], action["result"]) == (
        "measure_one",
        "ok",
        "door is 3 m",
    )
    assert [each["genie"] for each in action["tasks"]] == ["surveyor"]
    assert action["tasks"][0]["actions"][0]["skill"] == "measure"
    assert fields["usage"]["requests"] == 2


# --- rights only shrink ---


@playbook
def asking_whose(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call(turn.skills[0], name="door")
    return Answer(turn.results[0].value or turn.results[0].error)


caretaker = office.genie("caretaker", model=asking_whose, job_description="", skills=[whose])


@office.skill(effect="idempotent")
async def ask_caretaker(job: Job, name: str, owner: Metadata[str]) -> str:
    """Ask the caretaker, who is told nothing."""
    return (await job.assign_task(caretaker, name)).output


@office.skill(effect="idempotent")
async def tell_caretaker(job: Job, name: str, owner: Metadata[str]) -> str:
    """Ask the caretaker, who is told the owner by name."""
    return (await job.assign_task(caretaker, name, metadata={"owner": owner})).output


@pytest.mark.parametrize(("skill", "owner"), [(ask_caretaker, "nobody"), (tell_caretaker, "ann")])
async def test_metadata_goes_to_a_task_below_only_by_name(
    opened: Open, skill: Any, owner: str
) -> None:
    name = f"asks by {skill.name}"
    genie = office.genie(name, model=asking_whose, job_description="", skills=[skill])
    async with opened(office) as app:
        answer = await app.assign_task(genie, "Whose?", metadata={"owner": "ann"})
    assert answer.output == owner


strangers = Project("strangers")
stranger = strangers.genie("stranger", model=answerer, job_description="")


@office.recipe()
async def ask_stranger(job: Job) -> str:
    return (await job.assign_task(stranger, "Who are you?")).output


async def test_a_task_below_stays_in_the_project_too(opened: Open) -> None:
    curious = office.genie("curious", model=delegator, job_description="", skills=[ask_stranger])
    async with opened(office) as app:
        answer = await app.assign_task(curious, "Ask.")
    assert 'Genie "stranger" belongs to project "strangers"' in answer.output
    assert answer.actions[0].tasks == ()


# --- jobs that are cancelled ---

held = threading.Event()


@office.skill(effect="read")
async def stare() -> str:
    """Stare at it until somebody stops it."""
    await asyncio.to_thread(held.wait, 60)
    return "seen"


@playbook
def staring(turn: Turn) -> Call | Answer:
    return Call("stare") if turn.results else Call("measure", name="door")


starer = office.genie("starer", model=staring, job_description="", skills=[measure, stare])


@office.recipe()
async def have_it_stared_at(job: Job) -> str:
    """Have somebody stare at it."""
    return (await job.assign_task(starer, "Stare.", files=[File("plan.txt", b"a gate")])).output


async def test_what_a_cancelled_job_did_is_told_as_well(opened: Open) -> None:
    held.clear()
    impatient = office.genie(
        "impatient", model=delegator, job_description="", skills=[have_it_stared_at]
    )
    async with opened(office, grace=0.05) as app:
        job = await app.assign(impatient, "Look.")
        child = f"{job.job_id}.1.2.0"

        async def stares() -> bool:
            found = await rows(
                app, 'select 1 from entries where cast(body as text) like \'%"skill":"stare"%\''
            )
            return bool(found)

        await eventually(stares)
        await app.cancel(child)
        answer = TaskAnswer.from_json(await result(app, job.job_id), None)
        held.set()
    [action] = answer.actions
    assert action.status == "error"
    assert action.error is not None
    assert f"Job {child} cancelled" in action.error
    [task] = action.tasks
    assert (task.genie, task.status) == ("starer", "cancelled")
    assert [(each.skill, each.status) for each in task.actions] == [
        ("measure", "ok"),
        ("stare", "open"),
    ]
