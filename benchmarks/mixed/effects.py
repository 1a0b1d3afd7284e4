"""What recipes and skills leave behind: effects at the service, asked for over HTTP."""

from __future__ import annotations

import json
import os
import time
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

SERVICE = "CHAOS_SERVICE"
"""The environment variable with the URL of the service."""


def ask(path: str, body: dict[str, Any] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = Request(os.environ[SERVICE] + path, content, headers)
    with urlopen(request, timeout=30) as response:
        return json.load(response)


def happen(effect: str, key: str, kind: str) -> str:
    """Do an effect; its receipt. The clock of the machine tells a request that froze on its way."""
    asked = {"effect": effect, "key": key, "kind": kind, "asked_at": time.monotonic()}
    return ask("/effects", asked)["receipt"]


def known(key: str) -> str | None:
    """The receipt of what happened under a key: the service knows."""
    return ask(f"/effects/{quote(key, safe='')}")["receipt"]


def is_first(name: str, job_id: str) -> bool:
    """Whether this job was the first that asked for the name."""
    return ask("/first", {"name": name, "job_id": job_id})["first"] == job_id


def arrivals(after: int) -> list[int]:
    """What has arrived since, one number after the other, and the last one again."""
    return ask(f"/arrivals/{after}")
