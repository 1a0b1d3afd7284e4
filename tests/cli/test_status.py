"""`lampwork status`: how the whole is doing, seen from another process than the executing one."""

from __future__ import annotations

from typing import Any

from lampwork.types import JobStatus


def test_it_shows_jobs_and_what_a_worker_counts_while_it_executes(lampwork: Any) -> None:
    lampwork.worker()
    job_id = lampwork.queue("run", "review", "--input", '{"invoice": "INV-7"}')
    lampwork.job(job_id, "succeeded")
    stopped = lampwork.queue("run", "risks")
    lampwork.job(stopped, "needs_attention")

    def counted() -> Any:
        found = lampwork.json("status")
        done = [(each["skill_calls"]["count"], each["jobs_ended"]) for each in found["processes"]]
        return found if done == [(1, {"succeeded": 1})] else None

    found = lampwork.eventually(counted)
    assert found["jobs"]["succeeded"] == found["jobs"]["needs_attention"] == 1
    assert [job["job_id"] for job in found["attention"]] == [stopped]
    assert [(each["genie"], each["model"]) for each in found["spend"]] == [
        ("finance", "playbook:clerk")
    ]

    shown = lampwork("status").out
    assert "Jobs       1 succeeded, 1 needs_attention\n" in shown
    assert f"Attention  lampwork job {stopped} (risks)\n" in shown
    assert "finance of shop  playbook:clerk  2 requests\n" in shown
    assert " of shop, for " in shown
    assert "  jobs     1 succeeded\n" in shown


def test_where_nothing_was_ever_written_nothing_is_counted(lampwork: Any) -> None:
    found = lampwork.json("status")

    assert set(found["jobs"]) == set(JobStatus.__args__)
    assert not any(found["jobs"].values())
    assert found["processes"] == found["spend"] == []
    assert lampwork("status").out.startswith("Jobs       none\n")


def test_a_time_that_is_none_is_refused(lampwork: Any) -> None:
    refused = lampwork("status", "--since", "yesterday")

    assert refused.code == 2
    assert '"yesterday" is no length of time such as 90d, 12h' in refused.err
