"""`lampwork genies`, `lampwork genie`: who is there, and who is paused."""

from __future__ import annotations

import re
from typing import Any


def test_genies_are_listed_with_what_they_can_do(lampwork: Any) -> None:
    listed = lampwork("genies")

    assert listed.code == 0
    lines = [line.split() for line in listed.out.splitlines()]
    assert lines[0] == ["GENIE", "STATUS", "TASKS", "MODEL", "SKILLS"]
    assert ["finance", "active", "yes", "playbook:clerk", "approve_invoice"] in lines
    assert not (lampwork.folder / ".lampwork").exists()  # to look makes no folder


def test_a_genie_is_shown_paused_and_started(lampwork: Any) -> None:
    assert lampwork("genie", "finance", "pause", "--why", "audit").out == "Paused finance.\n"
    shown = lampwork("genie", "finance")
    assert shown.out.splitlines()[0] == "Genie finance of shop: paused"
    assert "audit" in shown.out.splitlines()[1]
    assert "  approve_invoice  idempotent  Approve the invoice." in shown.out
    assert "    metadata invoice_id" in shown.out
    assert lampwork.json("genies")["items"][0]["paused"]["why"] == "audit"
    checked = lampwork("check")
    assert "genie_paused" in checked.out
    assert 'Genie "finance" is paused by ' in checked.out
    assert checked.code == 0

    refused = lampwork("run", "review", "--input", '{"invoice": "1"}', "--wait")
    assert refused.code == 1
    assert "is paused by" in refused.err

    started = lampwork.json("genie", "finance", "start")
    assert (started["status"], started["paused"]) == ("active", None)
    assert lampwork("run", "review", "--input", '{"invoice": "1"}', "--wait").code == 0


def test_a_job_that_waits_for_a_paused_genie_says_what_to_type(lampwork: Any) -> None:
    (lampwork.folder / "patient.py").write_text(
        "from lampwork import Answer, Job, Project, playbook\n"
        "project = Project('patient')\n"
        "helper = project.genie('helper', model=playbook(lambda turn: Answer('done')),\n"
        "                       job_description='You help.')\n"
        "@project.recipe()\n"
        "async def ask(job: Job) -> str:\n"
        "    return (await job.assign_task(helper, 'Help.', when_paused='wait')).output\n"
    )
    lampwork("genie", "helper", "pause", "--project", "patient.py")
    job = lampwork.queue("run", "patient.py", "ask")
    lampwork.worker("patient.py")
    lampwork.job(job, "suspended")

    shown = lampwork("job", job).out
    assert "genie helper, paused by" in shown
    assert "lampwork genie helper start" in shown

    lampwork("genie", "helper", "start", "--project", "patient.py")
    assert lampwork.job(job, "succeeded")["output"] == "done"


def test_a_genie_that_is_not_there_is_refused_with_2(lampwork: Any) -> None:
    for words in (("genie", "nobody"), ("genie", "nobody", "pause")):
        refused = lampwork(*words)
        assert refused.code == 2
        assert 'has no genie "nobody"' in refused.err


def test_a_pause_of_a_paused_genie_and_a_start_of_an_active_one_say_so(lampwork: Any) -> None:
    assert lampwork("genie", "finance", "start").out == "finance is active already.\n"
    assert lampwork("genie", "finance", "pause", "--why", "holiday").out == "Paused finance.\n"
    again = lampwork("genie", "finance", "pause").out
    assert re.fullmatch(r"finance is paused already by (.+) \(holiday\); now by \1\.\n", again)
    assert lampwork("genie", "finance", "start").out == "Started finance.\n"
