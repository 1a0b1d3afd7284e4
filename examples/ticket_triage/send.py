"""The ticket system: sends the tickets of `data/` to the webhook, signed as Standard Webhooks says.

    python -m ticket_triage.send [URL of the server]

A ticket is sent under its own id, so what is sent again leads to the job that is there.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import httpx

TICKETS: list[dict[str, str]] = json.loads(
    Path(__file__).with_name("data").joinpath("tickets.json").read_text()
)


def signed(delivery: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers of a delivery."""
    now = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{delivery}.{now}.".encode() + body, "sha256")
    return {
        "webhook-id": delivery,
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


def send(url: str, secret: str) -> dict[str, Any]:
    """By ticket, what the server answered."""
    answers: dict[str, Any] = {}
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as server:
        for ticket in TICKETS:
            body = json.dumps(ticket).encode()
            headers = signed(ticket["id"], body, secret)
            answer = server.post("/hooks/support/tickets", content=body, headers=headers)
            answers[ticket["id"]] = answer.raise_for_status().json()
    return answers


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8700"
    for ticket, answer in send(where, os.environ["TICKETS_SECRET"]).items():
        print(ticket, "starts job" if answer["is_new"] else "is known as job", answer["job_id"])
