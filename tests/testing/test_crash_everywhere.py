"""A user's crash test: sound recipes survive it, and each way to be broken is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.testing import shop

from lampwork import Happened, Job, Project, Recipe, testing
from lampwork.errors import CrashTestFailed, InputInvalid, NotImportable

pytestmark = pytest.mark.timeout(600)  # many processes


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "ledger"
    file.touch()
    monkeypatch.setenv("SHOP_LEDGER", str(file))
    return file


def everywhere(recipe: Recipe[..., Any], **given: Any) -> testing.CrashReport:
    given = {"effects": shop.bookings, "progress": lambda line: None, "timeout": 120} | given
    return testing.crash_everywhere(recipe, **given)


ORDER: dict[str, Any] = {
    "input": {"account": "DE-44-7117"},
    "models": {"cashier": shop.PAYS},
    "events": {"colour": "red"},
}


def failure(recipe: Recipe[..., Any], **given: Any) -> CrashTestFailed:
    with pytest.raises(CrashTestFailed) as raised:
        everywhere(recipe, **given)
    return raised.value


def test_a_sound_recipe_survives_a_sample_of_its_boundaries() -> None:
    said: list[str] = []
    report = everywhere(shop.order, **ORDER, at_most=12, seed=3, progress=said.append)

    assert report.failed == []
    assert report.boundaries > 100
    assert len({each.boundary.point for each in report.crashes}) == 12
    assert sum(each.reached for each in report.crashes) >= 10
    assert str(report).startswith("Crash test of order: killed at ")
    assert len(said) == 1 + 12


def test_one_boundary_is_repeated_by_its_name() -> None:
    report = everywhere(shop.order, **ORDER, only="step.after_effect#1")

    [crash] = report.crashes
    assert (str(crash.boundary), crash.reached, crash.lives) == ("step.after_effect#1", True, 2)
    assert crash.words == "survived; 1 started again"


def test_an_effect_outside_of_steps_is_reported() -> None:
    error = failure(shop.careless, only="call.before#2")

    gift = '"gift" happened 2 times instead of once, without a key'
    assert len(error.boundaries) == 1, error
    [found] = error.boundaries
    assert found["boundary"] == "call.before#2"
    assert found["problems"][0].startswith(gift)
    assert gift in str(error)
    assert 'again: testing.crash_everywhere(careless, …, only="call.before#2")' in str(error)
    assert everywhere(shop.careless, only="step.after_effect#1").failed == []


def test_a_step_that_passes_no_key_on_is_reported_where_it_is_repeated() -> None:
    error = failure(shop.keyless, only="call.after#1")

    assert everywhere(shop.keyless, only="call.before#1").failed == []
    assert 'call.idempotency_key, or say effect="at_most_once"' in str(error)


def test_a_key_that_is_new_at_each_attempt_is_reported() -> None:
    error = failure(shop.forgetful, only="step.after_effect#1")

    assert '"fee" happened 2 times instead of once, each under another key' in str(error)


def test_a_key_that_is_new_at_each_replay_is_reported_without_any_probe() -> None:
    error = failure(shop.rekeyed, only="step.before_effect#1", effects=None)

    assert "charge, call 1, began under 2 keys" in str(error)


def test_a_recipe_that_makes_other_calls_when_it_is_replayed_is_reported() -> None:
    error = failure(shop.fickle, only="step.before_effect#3")

    assert "the job needs attention: code changed at call 2" in str(error)
    assert '"end" is lost' not in str(error)


def test_a_recipe_that_depends_on_the_order_of_a_set_is_reported() -> None:
    error = failure(shop.unsorted, only="call.before#3")

    assert "each under another key" in str(error)


def test_a_recipe_whose_output_differs_each_time_is_not_tested_until_it_says_what_is_the_same() -> (
    None
):
    error = failure(shop.dated)
    report = everywhere(
        shop.dated, only="call.after#1", compare=lambda output: output[: len("receipt of fee")]
    )

    assert "run twice, and never killed, it does not do the same: its output:" in str(error)
    assert report.failed == []


def test_a_job_that_waits_for_what_nobody_does_is_reported() -> None:
    error = failure(shop.waiting)

    assert 'the job waits for what nobody does: event "colour". Pass events=' in str(error)


def test_a_recipe_that_fails_undisturbed_is_not_tested_unless_that_is_meant() -> None:
    error = failure(shop.refuse)
    report = everywhere(shop.refuse, only="step.after_effect#1", expect="failed")
    other = failure(shop.careless, expect="failed")

    assert "when nothing is killed, the job fails (step_failed: " in str(error)
    assert 'ValueError: refused); if it is meant to, pass expect="failed".' in str(error)
    assert report.failed == []
    assert "the job ends as succeeded, and expect='failed'" in str(other)


def test_an_effect_whose_result_is_not_what_the_skill_returns_is_reported() -> None:
    def without_results() -> list[testing.Effect]:
        return [testing.Effect(each.what, each.key) for each in shop.bookings()]

    given: dict[str, Any] = {"models": {"cashier": shop.POSTS}, "only": "skill.after_effect#1"}
    error = failure(shop.mail, **given, effects=without_results)

    [found] = error.boundaries
    assert found["problems"][0].startswith("post has happened, and None can't be what it returned")
    assert "Give Effect(what, key, result) with what the service answered, or resolve=" in str(
        error
    )
    assert "Traceback" not in str(error)


def test_an_unknown_outcome_is_resolved_by_whoever_says_so() -> None:
    asked: list[testing.Question] = []

    def resolve(question: testing.Question) -> Any:
        asked.append(question)
        return Happened("receipt of letter")

    given: dict[str, Any] = {"models": {"cashier": shop.POSTS}, "only": "skill.after_effect#1"}
    report = everywhere(shop.mail, **given, resolve=resolve)

    assert [each.name for each in asked] == ["post"]
    assert report.crashes[0].asked == ("post",)
    error = failure(shop.mail, **given, effects=None)
    assert "nobody knows whether post has happened" in str(error)


def test_what_a_child_process_can_not_find_is_refused() -> None:
    local = Project("local")

    @local.recipe()
    async def lost(job: Job) -> None:
        pass

    with pytest.raises(NotImportable, match="at the top of no module"):
        everywhere(lost)
    with pytest.raises(NotImportable, match="The player of 'cashier' is at the top of no module"):
        everywhere(shop.order, **ORDER | {"models": {"cashier": testing.script()}})


def test_a_boundary_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputInvalid, match=r'Did you mean "skill\.after_effect"'):
        everywhere(shop.waiting, events={"colour": "red"}, only="skill.after_efect")
    with pytest.raises(InputInvalid, match=r"No process came to wait\.opened#9, so none was"):
        everywhere(shop.waiting, events={"colour": "red"}, only="wait.opened#9")


async def test_it_is_not_for_coroutines() -> None:
    with pytest.raises(InputInvalid, match="would stop this event loop"):
        everywhere(shop.waiting)
