"""How long pages of lists take over HTTP, with very much stored."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from benchmarks import runs
from benchmarks.systems import Place
from benchmarks.table import Table

QUICK = ["--jobs", "2000", "--entries", "10000", "--times", "5"]

_HOME = "/api/projects/stored"
PAGES = (
    "/api/jobs",
    "/api/jobs?roots=true",
    "/api/jobs?status=suspended",
    "/api/jobs?status=needs_attention",
    "/api/jobs?recipe=review_3",
    "/api/jobs?recipe=review_3&status=failed",
    "/api/jobs?waiting_on=event",
    "/api/jobs?waiting_on=timer",
    "/api/jobs?genie=clerk",
    "/api/jobs?genie=auditor",
    "/api/jobs?metadata=invoice_id",
    "/api/jobs?metadata=vessel=Emma",
    "/api/jobs?text=delivery",
    "/api/jobs?text=customs",
    "/api/jobs?since={month}",
    "/api/jobs?until={month}",
    "/api/jobs?after={job}",
    "/api/conversations",
    "/api/conversations?genie=clerk",
    "/api/conversations?genie=auditor",
    "/api/conversations?recipe=review_3",
    "/api/conversations?status=waiting",
    "/api/conversations?status=failed",
    "/api/conversations?waiting_on=event",
    "/api/conversations?waiting_on=timer",
    "/api/conversations?metadata=vessel=Emma",
    "/api/conversations?text=delivery",
    "/api/conversations?text=customs",
    "/api/conversations?until={month}",
    "/api/conversations?after={conversation}",
    "/api/tasks/{task}",
    f"{_HOME}/recipes",
    f"{_HOME}/triggers",
    f"{_HOME}/genies",
    "/api/status",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs that are stored")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of conversations")
    parser.add_argument("--times", type=int, default=40, help="how often each page is asked for")
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(
        f"Pages of 50 over HTTP from a server that executes nothing, one after another, "
        f"{options.times} times each, in ms.\n"
    )
    with runs.places(options.on) as places:
        for database in options.on:
            with places(database) as place:
                stored = runs.run(
                    "stored", *place.words, options.jobs, options.entries, timeout=3600
                )
                print(f"{database}: {json.dumps(stored)}\n")
                with serving(place) as url:
                    _measure(url, options.times)
    print()


def _measure(url: str, times: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    job = _ask(connection, "/api/jobs?roots=true&limit=200")[1]["items"][-1]["job_id"]
    known = {
        "job": job,
        "conversation": f"c{job[1:]}.3",
        "task": f"t{job[1:]}.3",
        "month": quote(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30 * 86400))),
    }
    table = Table("page", "p50", "p95", "items", width=44)
    for page in PAGES:
        took: list[float] = []
        found: Any = {}
        for _ in range(times + 1):
            seconds, found = _ask(connection, page.format(**known))
            took.append(seconds * 1000)
        del took[0]  # the first one is not what others wait for
        p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
        items = "" if "items" not in found else f"{len(found['items'])}"
        more = "+" if found.get("next") else ""
        table.row(f"`{page}`", f"{statistics.median(took):.1f}", f"{p95:.1f}", items + more)
    connection.close()


def _ask(connection: http.client.HTTPConnection, page: str) -> tuple[float, Any]:
    began = time.perf_counter()
    connection.request("GET", page)
    answered = connection.getresponse()
    body = answered.read()
    seconds = time.perf_counter() - began
    if answered.status != 200:
        raise runs.RunFailed(f"{page}: {answered.status} {body[:400]!r}")
    return seconds, json.loads(body)


@contextmanager
def serving(place: Place) -> Iterator[str]:
    """A server of that place, in a process of its own; its URL."""
    at = ["--db", place.url] if place.url else ["--home", str(place.folder)]
    serve = ["serve", "benchmarks.lists_project:project", *at]
    command = [sys.executable, "-m", "lampwork", *serve, "--no-worker", "--port", "0", "--json"]
    environment = os.environ | runs.QUIET
    with subprocess.Popen(
        command, cwd=runs.ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = server.stdout.readline()
            if not line:
                raise runs.RunFailed("the server has not begun")
            said += line
        try:
            yield json.loads(said)["url"]
        finally:
            server.terminate()
            server.wait(60)
