"""The company's systems, its store of evidence and the audit's binder, in a process of their own.

    python -m compliance_audit.storage [--port N] [--slow]

    POST /exports/{system}         begin an export; {"number": …}, once per Idempotency-Key
    GET  /exports/{number}         {"ready": …}: at the third look; with --slow, after /finish
    GET  /exports/{number}/records the records, as CSV
    PUT  /files/{name}             store a file; {"url": …}, by the digest of its content
    GET  /files/{digest}/{name}
    POST /binder                   {"control", "url", "note"}, entered once per Idempotency-Key
    GET  /binder                   the entries, with how often each was repeated
    GET  /exports                  how many were begun, by system
    POST /finish                   let the exports of --slow be ready

Prints one JSON line with its `url` when it listens.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
SYSTEMS = ("accounts", "changes", "backups")


class Company:
    """What is kept, in memory, under one lock."""

    def __init__(self, *, slow: bool) -> None:
        self.turn = threading.Lock()
        self.slow = slow
        self.exports: dict[str, tuple[int, str]] = {}
        self.looks: Counter[int] = Counter()
        self.files: dict[str, bytes] = {}
        self.binder: dict[str, dict[str, Any]] = {}

    def begin(self, key: str, system: str) -> int:
        number, _ = self.exports.setdefault(key, (len(self.exports) + 1, system))
        return number

    def is_ready(self, number: int) -> bool:
        self.looks[number] += 1
        return not self.slow and self.looks[number] > 2

    def records(self, number: int) -> bytes:
        [system] = [system for known, system in self.exports.values() if known == number]
        return (DATA / f"{system}.csv").read_bytes()

    def enter(self, key: str, entry: dict[str, Any]) -> dict[str, Any]:
        number = len(self.binder) + 1
        known = self.binder.setdefault(key, entry | {"number": number, "repeats": -1})
        known["repeats"] += 1
        return known


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    company: Company

    def do_GET(self) -> None:
        company = self.company
        with company.turn:
            match self.path.strip("/").split("/"):
                case ["exports"]:
                    self._json(Counter(system for _, system in company.exports.values()))
                case ["exports", number]:
                    self._json({"ready": company.is_ready(int(number))})
                case ["exports", number, "records"]:
                    self._send(company.records(int(number)), "text/csv")
                case ["files", digest, _] if digest in company.files:
                    self._send(company.files[digest], "text/csv")
                case ["binder"]:
                    self._json(list(company.binder.values()))
                case _:
                    self._json({"error": "not found"}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        company, body, key = self.company, self._body(), self.headers.get("Idempotency-Key", "")
        with company.turn:
            match self.path.strip("/").split("/"):
                case ["exports", system] if key and system in SYSTEMS:
                    self._json({"number": company.begin(key, system)})
                case ["binder"] if key:
                    self._json(company.enter(key, json.loads(body)))
                case ["finish"]:
                    company.slow = False
                    self._json({})
                case _:
                    self._json({"error": "not found, or no key"}, HTTPStatus.NOT_FOUND)

    def do_PUT(self) -> None:
        content, name = self._body(), self.path.rsplit("/", 1)[-1]
        digest = hashlib.sha256(content).hexdigest()[:16]
        with self.company.turn:
            self.company.files[digest] = content
        self._json({"url": f"http://{self.headers['Host']}/files/{digest}/{name}"})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the binder is what matters."""


def main() -> None:
    options = argparse.ArgumentParser(prog="compliance_audit.storage")
    options.add_argument("--port", type=int, default=8767, help="0 takes a free one")
    options.add_argument("--slow", action="store_true", help="no export is ready before /finish")
    chosen = options.parse_args()
    Handler.company = Company(slow=chosen.slow)
    with ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler) as server:
        print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
