"""Mistakes of a test fail it, whatever genies and recipes make of the failures."""

from __future__ import annotations

import pytest

from lampwork import Answer, Call, Job, Project, Turn, playbook, testing
from lampwork.errors import CrashTestFailed, JobFailed, LiveModelRefused, ScriptEnded

project = Project("letters")

controller = project.genie(
    "controller", model="openai:gpt-5.2", job_description="You check letters."
)


@project.skill()
async def have_checked(job: Job, text: str) -> str:
    """Have a letter checked."""
    return (await job.assign_task(controller, f"Check: {text}")).response


drafter = project.genie(
    "drafter", model="openai:gpt-5.2", job_description="You draft.", skills=[have_checked]
)


@project.recipe()
async def draft(job: Job) -> str:
    return (await job.assign_task(drafter, "Draft.")).response


@project.recipe()
async def draft_or_not(job: Job) -> str:
    try:
        return await job.call(draft)
    except JobFailed:
        return "none"


DRAFTS = testing.script(Call("have_checked", text="Dear you"), Answer("Dear you"))


async def test_a_delegate_without_a_player_fails_the_test() -> None:
    async with testing.opened(project, models={"drafter": DRAFTS}) as app:
        with pytest.raises(LiveModelRefused, match='Genie "controller" would ask openai'):
            await app.run(draft)


async def test_so_does_a_script_that_ends_too_early_where_the_recipe_catches_it() -> None:
    async with testing.opened(project, model=testing.script()) as app:
        with pytest.raises(ScriptEnded):
            await app.run(draft_or_not)


async def test_and_an_assertion_of_a_playbook() -> None:
    @playbook
    def checks(turn: Turn) -> Answer:
        assert "Dear me" in turn.instructions
        return Answer("fine")

    players = {"drafter": DRAFTS, "controller": checks}
    async with testing.opened(project, models=players) as app:
        with pytest.raises(AssertionError, match="Dear me"):
            await app.run(draft)


async def test_a_mistake_of_a_job_that_nobody_awaits_is_raised_at_the_end_of_the_block() -> None:
    async def unawaited() -> None:
        given = {"models": {"drafter": DRAFTS}, "patience": 60.0}
        async with testing.opened(project, **given) as app:
            await app.start(draft)
            await app.settled()

    with pytest.raises(LiveModelRefused, match='Genie "controller"'):
        await unawaited()


async def test_where_the_test_fails_anyway_the_mistake_is_noted() -> None:
    async def failing() -> None:
        given = {"models": {"drafter": DRAFTS}, "patience": 60.0}
        async with testing.opened(project, **given) as app:
            await app.start(draft)
            await app.settled()
            raise AssertionError("no letter")

    with pytest.raises(AssertionError, match="no letter") as raised:
        await failing()

    [note] = raised.value.__notes__
    assert note.startswith('In this test: LiveModelRefused: Genie "controller" would ask')


async def test_a_mistake_is_told_once() -> None:
    async with testing.opened(project) as app:
        with pytest.raises(LiveModelRefused):
            await app.assign_task(drafter, "Draft.")
        with pytest.raises(LiveModelRefused):
            await app.run(draft)


def test_a_crash_test_fails_of_it_too() -> None:
    with pytest.raises(CrashTestFailed, match='LiveModelRefused: Genie "controller"'):
        testing.crash_everywhere(draft, models={"drafter": DRAFTS}, timeout=120)
