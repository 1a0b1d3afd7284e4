"""An id of the wrong kind, or with a typo, leads to the verb and the id that were meant."""

from __future__ import annotations

from typing import Any


def test_an_id_of_another_kind_leads_to_the_verb_that_takes_it(lampwork: Any) -> None:
    (lampwork.folder / "broken").touch()
    job_id = lampwork.queue("run", "pays")
    lampwork.worker()
    [wait] = lampwork.job(job_id, "needs_attention")["waiting_on"]
    task_id, conversation_id = f"t{job_id[1:]}.1", f"c{job_id[1:]}.1"

    def refused(*words: str) -> str:
        done = lampwork(*words)
        assert (done.code, done.out) == (2, "")
        return done.err

    shown = f"lampwork conversation {conversation_id}"
    said = refused("job", task_id)
    assert said.startswith(f"Error: There is no job {task_id}. It is a task: {shown} shows what")
    assert f"lampwork job {job_id} its job." in said
    assert f"of job {job_id}: {shown}\n" in refused("job", conversation_id, "cancel")
    assert f"that job {job_id} waits for: lampwork job {job_id}\n" in refused(
        "job", wait["wait_id"], "retry", "--plan"
    )
    assert refused("conversation", task_id).endswith(f"It is a task in one: {shown}\n")
    assert refused("conversation", job_id).endswith(f"tasks: lampwork job {job_id}\n")


def test_an_id_with_a_typo_leads_to_the_one_that_was_meant(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks")

    said = lampwork("job", job_id[:-1]).err

    assert f'Did you mean "{job_id}"? `lampwork jobs` lists them.' in said
    assert lampwork("job", job_id.upper(), "--json").json["error"]["code"] == "job_not_found"
