"""`lampwork serve`: the API, and a worker in the same process."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from tests.cli.shell import DEADLINE
from tests.warm import Command


def served(lampwork: Any, *words: str) -> tuple[Command, dict[str, Any]]:
    """A server that is ready, and what it said of itself."""
    server = lampwork.start("serve", "--port", "0", "--json", *words)
    assert server.stdout is not None
    said = ""
    while not said.endswith("}\n"):
        line = server.stdout.readline()
        assert line, server.communicate()
        said += line
    return server, json.loads(said)


def test_it_serves_and_executes_until_it_is_told_to_end(lampwork: Any, stop: Any) -> None:
    server, said = served(lampwork)
    with httpx.Client(base_url=said["url"], timeout=DEADLINE) as api:
        assert api.get("/readyz").json() == {"status": "ok"}
        started = api.post("/api/projects/shop/recipes/where/jobs", json={}).json()
        until = time.monotonic() + DEADLINE
        while (job := api.get(f"/api/jobs/{started['job_id']}").json())["ended_at"] is None:
            assert time.monotonic() < until, job

    done = stop(server)

    assert job["output"] == said["pid"] == server.pid
    assert said["executes"] is True
    assert done.code == 0, done
    assert "Closing" in done.err


def test_beside_a_worker_it_answers_without_one_of_its_own(lampwork: Any, stop: Any) -> None:
    worker = lampwork.worker()
    refused = lampwork("serve", "--port", "0", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "folder_in_use")
    assert "--no-worker" in refused.json["error"]["message"]

    server, said = served(lampwork, "--no-worker")
    with httpx.Client(base_url=said["url"], timeout=DEADLINE) as api:
        started = api.post("/api/projects/shop/recipes/where/jobs", json={}).json()
        until = time.monotonic() + DEADLINE
        while (job := api.get(f"/api/jobs/{started['job_id']}").json())["ended_at"] is None:
            assert time.monotonic() < until, job

    assert job["output"] == worker.pid
    assert stop(server).code == 0


def test_an_address_that_is_taken_is_said(lampwork: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        refused = lampwork("serve", "--port", port, "--json")

    assert (refused.code, refused.json["error"]["code"]) == (1, "address_in_use")
    assert "--port" in refused.json["error"]["message"]


def test_a_webhook_without_its_secret_is_said_with_its_place(lampwork: Any, tmp_path: Path) -> None:
    file = tmp_path / "hooks.py"
    file.write_text(
        "from typing import Any\nfrom lampwork import Job, Project, Webhook\n"
        "project = Project('hooks')\n"
        "@project.recipe(triggers=[Webhook('in', secret_env='SECRET_OF_NOBODY')])\n"
        "async def take(job: Job, given: Any) -> None: ...\n"
    )
    refused = lampwork("serve", str(file), "--port", "0", "--json")

    assert (refused.code, refused.json["error"]["code"]) == (1, "trigger_invalid")
    assert f"{file}:4" in refused.json["error"]["message"]
    assert "SECRET_OF_NOBODY" in refused.json["error"]["message"]


def test_where_others_reach_it_it_takes_tls_or_a_proxy_and_accounts(lampwork: Any) -> None:
    assert "no address of this machine" in lampwork("serve", "--host", "example.org").err
    open_to_all = lampwork("serve", "--host", "0.0.0.0")
    assert (open_to_all.code, "--behind-proxy" in open_to_all.err) == (2, True)
    half = lampwork("serve", "--tls-cert", "project.py")
    assert (half.code, "--tls-key" in half.err) == (2, True)

    none = lampwork("serve", "--tls-cert", "project.py", "--tls-key", "project.py")
    assert (none.code, "both in PEM" in none.err) == (2, True)

    nobody = lampwork("serve", "--behind-proxy", "--port", "0", "--json")
    assert (nobody.code, nobody.json["error"]["code"]) == (1, "accounts_lacking")


def test_who_starts_it_without_accounts_gets_a_link(lampwork: Any, stop: Any) -> None:
    server = lampwork.start("serve", "--port", "0")
    assert server.stdout is not None
    said = [server.stdout.readline() for _ in range(2)]
    link = said[1].rpartition(" ")[2].strip()
    url, _, token = link.partition("/#link=")

    begun = httpx.post(f"{url}/api/session/link", json={"token": token}, timeout=DEADLINE)
    assert stop(server).code == 0

    assert (begun.status_code, begun.json()["role"]) == (201, "admin")
