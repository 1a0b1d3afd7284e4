"""A small paging service over HTTP, in a process of its own, and how the recipe reaches it.

    python -m ticket_triage.pager [--port N]

    POST /pages    {"to": …, "text": …} under an Idempotency-Key; the same key again is a repeat
    GET  /pages    what was sent, with how often it was repeated

Its address is PAGER_URL. Prints one JSON line with its `url` when it listens.
"""

from __future__ import annotations

import argparse
import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx


async def page(engineer: str, text: str, *, idempotency_key: str) -> None:
    """Let an engineer's telephone ring."""
    url = os.environ.get("PAGER_URL", "http://127.0.0.1:8766")
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as service:
        headers = {"Idempotency-Key": idempotency_key}
        answer = await service.post("/pages", json={"to": engineer, "text": text}, headers=headers)
        answer.raise_for_status()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sent: ClassVar[dict[str, dict[str, Any]]] = {}

    def do_GET(self) -> None:
        self._answer(list(self.sent.values()))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        key = self.headers.get("Idempotency-Key", "")
        known = self.sent.setdefault(key, body | {"repeats": -1})
        known["repeats"] += 1
        self._answer(known, HTTPStatus.CREATED)

    def _answer(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the pages are what matters."""


def main() -> None:
    options = argparse.ArgumentParser(prog="ticket_triage.pager")
    options.add_argument("--port", type=int, default=8766, help="0 takes a free one")
    with ThreadingHTTPServer(("127.0.0.1", options.parse_args().port), Handler) as server:
        print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
