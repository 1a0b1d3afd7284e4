"""Delegation: a genie's skill may be a recipe that assigns tasks to other genies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lampwork import Answer, Call, Job, Project, Turn, playbook


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
