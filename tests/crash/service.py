"""The world outside, in a process that nobody kills: it counts its calls per effect and key.

`python -m tests.crash.service FILE`. `POST /` with `{"effect", "key"}` does an effect and writes a
line into FILE, synced, before it answers; `GET /key` says whether the key is known. One request at
a time: what was sent before a kill has happened before anyone asks what happened.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

from lampwork import failpoint

URL = "LAMPWORK_TEST_SERVICE"
"""The environment variable that names the service to those who call it."""


def happen(effect: str, key: str) -> str:
    """Do an effect; its receipt. There is a failpoint on either side: `<effect>.asked`, `.done`."""
    name = effect.partition("/")[2]
    body = json.dumps({"effect": effect, "key": key}).encode()
    failpoint.hit(f"{name}.asked")
    with urlopen(Request(os.environ[URL], body), timeout=60) as response:
        receipt = json.load(response)
    failpoint.hit(f"{name}.done")
    return receipt


def known(key: str) -> str | None:
    """The receipt of what happened under a key."""
    with urlopen(f"{os.environ[URL]}/{quote(key, safe='')}", timeout=60) as response:
        return json.load(response)


def effects(file: Path, load: str) -> dict[str, Counter[str]]:
    """How often each effect of a load was done, by key."""
    counted: dict[str, Counter[str]] = {}
    for line in file.read_text().splitlines():
        done = json.loads(line)
        name, _, effect = done["effect"].partition("/")
        if name == load:
            counted.setdefault(effect, Counter())[done["key"]] += 1
    return counted


class Handler(BaseHTTPRequestHandler):
    file: Any
    receipts: dict[str, str]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) < length:  # its sender was killed in the middle of it
            return
        done = json.loads(content)
        receipt = f"receipt of {done['effect'].partition('/')[2]}"
        self.receipts[done["key"]] = receipt
        self.file.write(json.dumps(done) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self._answer(receipt)

    def do_GET(self) -> None:
        self._answer(self.receipts.get(unquote(self.path[1:])))

    def _answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(HTTPServer):
    request_queue_size = 128
    """More than ever come at once. A request for which there is no room is sent again by the
    kernel, also for one who was killed since: after it was asked what has happened."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Its clients are killed all the time: a broken pipe is no news."""


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a") as Handler.file:
        Handler.receipts = {}
        server = Server(("127.0.0.1", 0), Handler)
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
