"""What the log says: sentences with fields, of which none holds a value of a user's."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.canary import CANARY, everything, project

from lampwork import logs

from .conftest import Open


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All that is logged, by anybody, at every level, as programs read it."""
    lines, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logs.writing("json"))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(before)


def read(written: io.StringIO) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in lines if line["logger"].startswith("lampwork")]


async def test_no_value_of_a_user_is_in_the_log(opened: Open, written: io.StringIO) -> None:
    async with opened(project) as app:
        await everything(app)

    assert CANARY not in written.getvalue()
    said = {line["event"] for line in read(written)}
    assert said >= {
        "job.event_passed_over",
        "job.failed",
        "job.needs_attention",
        "job.parked",
        "job.succeeded",
        "job.suspended",
        "job.woken",
        "playbook.raised",
        "task.answered",
        "task.failed",
        "trigger.failed",
        "trigger.rejected",
    }


async def test_a_line_is_a_sentence_with_fields(opened: Open, written: io.StringIO) -> None:
    async with opened(project) as app:
        works, fails, breaks, _, _ = await everything(app)

    lines = read(written)
    [failed] = [line for line in lines if line["event"] == "job.failed" and fails in line["job_id"]]
    place = re.sub(r".*/", "", failed.pop("at"))
    message = failed.pop("message")
    assert re.fullmatch(
        f"job {fails} failed: LookupError at .*/tests/canary.py:[0-9]+. "
        f"What it says: lampwork job {fails}",
        message,
    )
    assert place.startswith("canary.py:")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", failed.pop("time"))
    assert failed == {
        "level": "info",
        "event": "job.failed",
        "logger": "lampwork.worker",
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "job_id": fails,
        "error": "step_failed",
        "error_type": "LookupError",
    }

    task = f"t{works[1:]}.1"
    [answered] = [line for line in lines if line["event"] == "task.answered" and task in str(line)]
    assert answered["message"] == f"task {task}: clerk has answered, in 2 turns"
    assert (answered["genie"], answered["usage"]["requests"]) == ("clerk", 2)

    [raised] = [line for line in lines if line["event"] == "playbook.raised"]
    task = f"t{breaks[1:]}.1"
    assert raised["message"].startswith(f"playbook:careful raised RuntimeError in task {task} at ")
