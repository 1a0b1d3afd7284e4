"""Boundaries: all of them are named, which are tried, and jobs that break off at one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import lampwork
from lampwork import Answer, Call, Job, Project, SkillCall, testing
from lampwork.errors import InputInvalid
from lampwork.failpoint import POINTS_OF_ERASING, POINTS_OF_PRUNING, POINTS_OF_RESTORING
from lampwork.testing.crash.boundary import Boundary, chosen
from lampwork.worker import execution

project = Project("breaking")
acts: list[str] = []


@project.skill(effect="idempotent")
def wire(call: SkillCall) -> str:
    """Wire it."""
    acts.append(call.idempotency_key)
    return "wired"


cashier = project.genie("cashier", model="openai:gpt-5.2", job_description="Pay.", skills=[wire])
PAYS = testing.script(Call("wire"), Answer("paid"))


@project.recipe()
async def refund(job: Job) -> str:
    return (await job.assign_task(cashier, "Pay.")).response


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_BACKOFF", 0.01)
    acts.clear()


def test_every_point_of_the_sources_is_listed_and_no_other() -> None:
    sources = Path(lampwork.__file__).parent.rglob("*.py")
    texts = [path.read_text("utf-8") for path in sources]
    hit = {name for text in texts for name in re.findall(r'failpoint\.hit\(\s*"(.+?)"', text)}

    of_verbs = POINTS_OF_PRUNING | POINTS_OF_ERASING | POINTS_OF_RESTORING
    assert hit == testing.POINTS.keys() | of_verbs.keys()


async def test_a_job_that_breaks_off_after_an_effect_goes_on_under_the_same_key() -> None:
    async with testing.opened(project, model=PAYS) as app:
        with testing.fails_at("skill.after_effect"):
            assert await app.run(refund) == "paid"

    assert len(acts) == 2
    assert len(set(acts)) == 1


async def test_it_breaks_off_at_the_time_that_is_asked_for() -> None:
    async with testing.opened(project, model=PAYS) as app:
        with testing.fails_at("model.after", nth=2):
            assert await app.run(refund) == "paid"

    assert len(acts) == 1
    assert [each.turn for each in app.requests] == [1, 2, 2]


async def test_a_boundary_that_no_job_comes_to_is_an_error() -> None:
    async with testing.opened(project, model=PAYS) as app:
        with (
            pytest.raises(InputInvalid, match=r"No job came to child\.created 1 times"),
            testing.fails_at("child.created"),
        ):
            await app.run(refund)


def test_a_boundary_outside_of_jobs_is_for_killed_processes() -> None:
    with (
        pytest.raises(InputInvalid, match=r'crash_everywhere\(…, only="park.done#2"\)'),
        testing.fails_at("park.done", nth=2),
    ):
        pass


def test_a_boundary_is_read_back_from_its_name() -> None:
    assert Boundary.parse("skill.after_effect#12") == Boundary("skill.after_effect", 12)
    assert Boundary.parse("call.before") == Boundary("call.before", 1)
    for wrong in ("skill.after_efect", "call.before#0", "call before"):
        with pytest.raises(InputInvalid):
            Boundary.parse(wrong)


def test_a_sample_has_each_point_before_it_has_one_twice() -> None:
    hits = Counter({"call.before": 40, "call.after": 40, "job.begun": 1})
    found = chosen(hits, only=None, at_most=5, seed=1)

    assert len(found) == 5
    assert [str(each) for each in found if each.nth == 1] == [
        "call.before#1",
        "call.after#1",
        "job.begun#1",
    ]
    assert found == chosen(hits, only=None, at_most=5, seed=1)
    assert found != chosen(hits, only=None, at_most=5, seed=2)
    assert len(chosen(hits, only=None, at_most=None, seed=1)) == 81
