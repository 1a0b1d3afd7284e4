"""A service with effects, in its own process: it counts its calls per effect and key, and is slow.

`POST /effects {"effect", "key", "kind", "asked_at"}` does one; `GET /effects` lists them all; `GET
/effects/<key>` says whether a key is known, when what was asked under it has come to its end. `POST
/first {"name", "job_id"}` says which job asked first. `GET /arrivals/<after>` tells what has
arrived; after `POST /lull {"on": true}` nothing more does. It survives the faults, so it is what
really happened.
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

LATE = 1.0
"""Seconds on the way after which an effect was sent by a process that was frozen in between."""

ARRIVES_EVERY = 1.5


@dataclass
class Service:
    chance: random.Random
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    under_way: Counter[str] = field(default_factory=Counter)
    firsts: dict[str, str] = field(default_factory=dict)
    arrived: int = 0
    next_arrival: float | None = 0.0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def happen(self, effect: str, key: str, kind: str, asked_at: float) -> dict[str, Any]:
        """Slow on both sides of the effect, so that a fault can fall on either."""
        with self.changed:
            self.under_way[key] += 1
        time.sleep(self.chance.uniform(0, 0.03))
        with self.changed:
            self.calls[effect, key, kind] += 1
            self.late[effect] += time.monotonic() - asked_at > LATE
            self.under_way[key] -= 1
            self.changed.notify_all()
        time.sleep(self.chance.uniform(0, 0.03))
        return {"receipt": f"receipt of {effect}"}

    def listed(self) -> list[dict[str, Any]]:
        with self.changed:
            return [
                {
                    "effect": effect,
                    "key": key,
                    "kind": kind,
                    "calls": calls,
                    "late": self.late[effect],
                }
                for (effect, key, kind), calls in self.calls.items()
            ]

    def find(self, wanted: str) -> dict[str, Any]:
        with self.changed:
            self.changed.wait_for(lambda: not self.under_way[wanted], 10)
            known = [effect for effect, key, _ in self.calls if key == wanted]
        return {"receipt": f"receipt of {known[0]}" if known else None}

    def first(self, name: str, job_id: str) -> dict[str, str]:
        with self.changed:
            return {"first": self.firsts.setdefault(name, job_id)}

    def arrivals(self, after: int) -> list[int]:
        with self.changed:
            if self.next_arrival is not None and time.monotonic() > self.next_arrival:
                self.arrived += 1
                self.next_arrival = time.monotonic() + ARRIVES_EVERY
            return list(range(max(1, after), self.arrived + 1))

    def lull(self, on: bool) -> dict[str, int]:
        with self.changed:
            self.next_arrival = None if on else time.monotonic()
            return {"arrived": self.arrived}


class Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(length := int(self.headers["Content-Length"]))
        if len(content) < length:  # its sender was killed in the middle of it
            self.close_connection = True
            return
        doing = {"/effects": self.service.happen, "/first": self.service.first}
        doing["/lull"] = self.service.lull
        self.answer(doing[self.path](**json.loads(content)))

    def do_GET(self) -> None:
        match self.path.split("/")[1:]:
            case ["effects"]:
                self.answer(self.service.listed())
            case ["effects", key]:
                self.answer(self.service.find(unquote(key)))
            case ["arrivals", after]:
                self.answer(self.service.arrivals(int(after)))
            case _:
                self.send_error(404)

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
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Its clients are killed all the time: a broken pipe is no news."""


def main(seed: str) -> None:
    Handler.service = Service(random.Random(int(seed)))
    server = Server(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
