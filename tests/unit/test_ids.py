"""Ids: what each is of shows in its first letter."""

from __future__ import annotations

from lampwork.types import (
    child_id,
    child_wait_id,
    conversation_id,
    is_job_id,
    new_job_id,
    task_id,
    wait_id,
)


def test_an_id_says_whether_it_is_that_of_a_job() -> None:
    job = new_job_id()
    others = [task_id(job, 1), conversation_id(job, 1), wait_id(job, 1), child_wait_id(job), ""]

    assert all(map(is_job_id, [job, child_id(job, 1), child_id(job, 1, 7)]))
    assert not any(map(is_job_id, others))


def test_jobs_that_are_started_after_each_other_sort_so_within_a_millisecond_too() -> None:
    ids = [new_job_id() for _ in range(500)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 500
    assert len({id[:11] for id in ids}) < 500  # several of them in a millisecond
