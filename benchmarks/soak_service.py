"""A service with effects, in its own process: it counts its calls per effect and key, and is slow.

`POST /effects {"effect", "key", "kind"}` does one; `GET /effects` lists them all; `GET
/effects/<key>` says whether a key is known. It survives the kills, so it is what really happened.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Effects:
    chance: random.Random
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def happen(self, effect: str, key: str, kind: str) -> dict[str, Any]:
        """Slow on both sides of the effect, so that a kill can fall on either."""
        time.sleep(self.chance.uniform(0, 0.03))
        with self.lock:
            self.calls[effect, key, kind] += 1
        time.sleep(self.chance.uniform(0, 0.03))
        return {"receipt": f"receipt of {effect}"}

    def listed(self) -> list[dict[str, Any]]:
        with self.lock:
            return [
                {"effect": effect, "key": key, "kind": kind, "calls": calls}
                for (effect, key, kind), calls in self.calls.items()
            ]

    def find(self, wanted: str) -> dict[str, Any]:
        with self.lock:
            known = [effect for effect, key, _ in self.calls if key == wanted]
        return {"receipt": f"receipt of {known[0]}" if known else None}


class Handler(BaseHTTPRequestHandler):
    effects: Effects
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(self.effects.happen(**body))

    def do_GET(self) -> None:
        key = unquote(self.path.removeprefix("/effects").removeprefix("/"))
        self.answer(self.effects.find(key) if key else self.effects.listed())

    def answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Its clients are killed all the time: a broken pipe is no news."""


def main(seed: str) -> None:
    Handler.effects = Effects(random.Random(int(seed)))
    server = Server(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
