"""What a process counts, in fixed buckets."""

from __future__ import annotations

import pytest

from lampwork.counters import BOUNDS, Commits, Times, Work


def test_a_time_is_counted_in_the_first_bucket_that_holds_it() -> None:
    times = Times()
    for seconds in (0.0, 0.001, 0.0011, 0.003, 1000.0):
        times.took(seconds)

    counted = dict(zip((*BOUNDS, None), times.buckets, strict=True))
    assert {bound: count for bound, count in counted.items() if count} == {
        0.001: 2,
        0.002: 1,
        0.005: 1,
        None: 1,
    }
    assert (times.count, times.seconds) == (5, pytest.approx(1000.0051))


@pytest.mark.parametrize(
    ("share", "within"), [(0.0, 0.005), (0.5, 0.005), (0.9, 0.005), (0.95, 2.0), (1.0, 2.0)]
)
def test_a_share_of_them_was_done_within_a_bound(share: float, within: float) -> None:
    times = Times()
    for seconds in [0.003] * 9 + [1.5]:
        times.took(seconds)

    assert times.within(share) == within


def test_nothing_was_done_within_any_time() -> None:
    assert Times().within(0.5) is None


def test_what_took_longer_than_the_last_bound_is_said_to_have_taken_that() -> None:
    times = Times()
    times.took(10_000)

    assert times.within(0.5) == BOUNDS[-1]


def test_a_row_gives_back_what_was_counted() -> None:
    work, commits = Work(), Commits(changes=3)
    commits.times.took(0.004)
    work.called_model(0.7, tries=3, replied=True)
    work.called_model(9.0, tries=1, replied=False)
    work.ended("failed")
    work.ended("failed")

    row = work.to_json(commits)

    assert Times.of(row["commits"]) == commits.times
    assert Times.of(row["model_calls"]) == work.model_calls
    counts = {name: row[name] for name in row if name not in ("commits", "model_calls")}
    assert counts == {
        "appends": 0,
        "changes": 3,
        "changes_refused": 0,
        "model_tries_again": 2,
        "model_failures": 1,
        "skill_calls": {"buckets": [0] * (len(BOUNDS) + 1), "seconds": 0.0},
        "jobs_ended": {"failed": 2},
    }
