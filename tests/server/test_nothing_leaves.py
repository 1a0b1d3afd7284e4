"""No connection leaves a server but to the models and services that its project is made for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from tests.examples import chat_model
from tests.server.reaching import NOWHERE, SECRET, Counted

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@contextmanager
def shop() -> Iterator[str]:
    """A service that has 12 lamps, whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"item,count\nlamp,12\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def watched_server(reached: Path, home: Path, **env: str) -> Iterator[httpx.Client]:
    """`lampwork serve`, cold: what it imports at its start is watched as well."""
    given = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    path = os.pathsep.join([str(HERE / "guard"), *filter(None, [os.environ.get("PYTHONPATH")])])
    env |= {"PYTHONPATH": path, "LAMPWORK_TEST_REACHED": str(reached), "LAMPWORK_HOME": str(home)}
    env |= {"OPENAI_API_KEY": "none", "PYTHONSAFEPATH": ""}
    command = [sys.executable, "-m", "lampwork", "serve", "tests/server/reaching.py"]
    server = subprocess.Popen(
        [*command, "--port", "0", "--json"],
        cwd=ROOT,
        env=given | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = server.stdout.readline()
            assert line, server.wait()
            said += line
        with httpx.Client(base_url=json.loads(said)["url"], timeout=60, trust_env=False) as api:
            yield api
    finally:
        server.terminate()
        server.communicate(timeout=60)


def counts(request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A model that counts once."""
    if any("tool_calls" in message for message in request["messages"]):
        return "answer", {"lamps": 12}
    return "count_stock", {"item": "lamp"}


def ended(api: httpx.Client, many: int) -> list[Any]:
    until = time.monotonic() + 60
    while True:
        jobs = api.get("/api/jobs", params={"roots": True}).json()["items"]
        if len(jobs) == many and all(job["ended_at"] for job in jobs):
            return [(job["recipe"], job["status"]) for job in jobs]
        assert time.monotonic() < until, jobs


def deliver(api: httpx.Client) -> None:
    body, now = json.dumps({"item": "lamp"}), datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(SECRET).sign("msg_1", now, body),
    }
    api.post("/hooks/quiet/orders", content=body, headers=headers).raise_for_status()


@pytest.mark.timeout(180)
def test_it_connects_to_its_models_and_services_alone(tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    of_project = "/api/projects/quiet"
    with shop() as service, chat_model.serve(counts) as model:
        env = {"SHOP": service, "OPENAI_BASE_URL": model.url}
        with watched_server(reached, tmp_path / "home", **env) as api:
            deliver(api)
            cron = {"trigger": "cron 0 0 1 1 * UTC"}
            api.post(f"{of_project}/triggers/count/fire", json=cron).raise_for_status()
            task = {"instructions": "Count them.", "output": Counted.model_json_schema()}
            api.post(f"{of_project}/genies/clerk/tasks", json=task).raise_for_status()
            done = ended(api, 3)
            asked = set(reached.read_text().split("\n")) - {""}
            # The guard sees what goes elsewhere: it is no test that can't fail.
            api.post(f"{of_project}/recipes/stray/jobs", json={}).raise_for_status()
            ended(api, 4)

    allowed = {f"127.0.0.1:{httpx.URL(each).port}" for each in (service, model.url)}
    assert {status for _, status in done} == {"succeeded"}, done
    assert asked == allowed | {"name 127.0.0.1"}
    strayed = set(reached.read_text().split("\n")) - {""} - asked
    assert strayed == {f"{NOWHERE[0]}:{NOWHERE[1]}"}
