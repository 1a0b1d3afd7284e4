"""SIGKILL between what is on disk and what is said of it over HTTP, at both ends of a call."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from tests.behind import rows
from tests.crash.calling import SECRET
from tests.support import eventually
from tests.warm import Command

PROJECT = "tests/crash/calling.py"
WHOLE = 60.0


@contextmanager
def serving(run: Any, home: Path, failpoints: str = "") -> Iterator[tuple[Command, httpx.Client]]:
    """A server, and who talks to it, until the block is left."""
    words = ("-m", "lampwork", "serve", PROJECT, "--port", "0", "--json")
    server = run.start(*words, home=home, failpoints=failpoints)
    assert server.stdout is not None
    said = ""
    while not said.endswith("}\n"):
        line = server.stdout.readline()
        assert line, server.communicate()
        said += line
    try:
        with httpx.Client(base_url=json.loads(said)["url"], timeout=WHOLE) as api:
            yield server, api
    finally:
        server.kill()
        server.communicate(timeout=WHOLE)


def killed(server: Command) -> bool:
    server.communicate(timeout=WHOLE)
    return server.wait() == -signal.SIGKILL


def assigned(api: httpx.Client) -> httpx.Response:
    """A task under the client's own key."""
    url = "/api/projects/desk/genies/clerk/tasks"
    return api.post(url, json={"instructions": "File it."}, headers={"Idempotency-Key": "k1"})


def delivered(api: httpx.Client) -> httpx.Response:
    """A delivery of a webhook, with the id that its sender gave it."""
    body, now = json.dumps({"number": 7}), datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(SECRET).sign("msg_1", now, body),
    }
    return api.post("/hooks/desk/tickets", content=body, headers=headers)


async def test_a_retry_after_a_kill_between_acceptance_and_202_leads_to_the_same_job(
    run: Any, home: Path
) -> None:
    for send, boundary in ((assigned, "job.accepted"), (delivered, "trigger.fired")):
        with serving(run, home, f"{boundary}=kill") as (server, api):
            with pytest.raises(httpx.TransportError):
                send(api)
            assert killed(server)

    accepted = rows(home, "select id from jobs order by id")
    with serving(run, home) as (_, api):
        again = [send(api) for send in (assigned, delivered)]

    assert [each.status_code for each in again] == [202, 202]
    assert [(each.json()["job_id"],) for each in again] == accepted
    assert rows(home, "select id from jobs order by id") == accepted


async def test_a_called_endpoint_starts_one_job_however_often_both_sides_die(
    run: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The called one between acceptance and 202; the calling one at each wait."""
    theirs = tmp_path / "theirs"
    queued = run(
        "-m",
        "lampwork",
        "run",
        PROJECT,
        "audit",
        "--input",
        '{"control": "AC-2"}',
        "--json",
        home=home,
    )
    assert queued.returncode == 0, queued.stderr

    def calling(failpoints: str = "") -> Command:
        return run.start("-m", "lampwork", "worker", PROJECT, home=home, failpoints=failpoints)

    with serving(run, theirs, "trigger.fired=kill") as (server, api):
        monkeypatch.setenv("COLLECTOR", str(api.base_url))
        worker = calling("wait.opened=kill")
        assert killed(server)
        assert killed(worker)

    with serving(run, theirs) as (_, api):
        monkeypatch.setenv("COLLECTOR", str(api.base_url))
        # The wait of the life before is opened again; the second one knows where the job is.
        assert killed(calling("wait.opened=kill@2"))

        def waiting() -> list[tuple[str]]:
            query = "select id from jobs where callable = 'collect' and status = 'suspended'"
            return rows(theirs, query)

        [(job_id,)] = await eventually(waiting, deadline=WHOLE)
        worker = calling()
        try:
            api.post(f"/api/jobs/{job_id}/events/found", json={"value": "a list"})

            async def done() -> Any:
                return rows(home, "select outcome from jobs where status = 'succeeded'")

            [(outcome,)] = await eventually(done, deadline=WHOLE)
        finally:
            worker.terminate()
            worker.communicate(timeout=WHOLE)

    assert "a list" in outcome
    subjects = [json.loads(each) for (each,) in rows(home, "select subject from waits order by id")]
    assert subjects[0]["at"] is None
    assert {each["at"] for each in subjects[1:]} == {f"/api/jobs/{job_id}"}
    assert len(rows(theirs, "select id from jobs where callable = 'collect'")) == 1
