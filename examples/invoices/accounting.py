"""A small accounting service over HTTP, in a process of its own, with its books in SQLite.

    python -m invoices.accounting [--port N] [--books FILE] [--hold-after N]

    GET  /invoices                            the pending ones
    GET  /invoices/{id}/pdf                   what the supplier sent
    GET  /purchase-orders.csv
    POST /invoices/{id}/approve               {"note": …}
    POST /invoices/{id}/request-documents     {"documents": […]}
    POST /invoices/{id}/flag                  {"reason": …}
    GET  /effects                             what was done, counted per key and per invoice
    POST /release                             see --hold-after

A decision needs an `Idempotency-Key` header. It is applied once per key: the same key again is
counted as a repeat and gets the first answer; with another request it is 409. A second key for
an invoice is applied too, so that work done twice shows in the counts.

`--hold-after N` is for the demo: the Nth decision is written to the books, but neither it nor any
later one is answered until `/release`, which hangs up on all of them, as a broken network would.

Prints one JSON line when it listens (`url`), and one when it holds (`held`).
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
DECISIONS = {
    "approve": ("note", "approved"),
    "request-documents": ("documents", "needs_documents"),
    "flag": ("reason", "flagged"),
}


class Refused(Exception):
    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class HungUp(Exception):
    """The request was in the air when the hold was released."""


class Books:
    """The invoices and what was done to them. One connection, used under one lock."""

    def __init__(self, path: str, hold_after: int = 0) -> None:
        self._turn = threading.Condition()
        self._holding, self._releases, self._hold_after = False, 0, hold_after
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("""
            create table if not exists invoices (
                id text primary key, supplier text, received text, purchase_order text,
                status text not null default 'pending');
            create table if not exists effects (
                number integer primary key, key text not null unique, invoice text not null,
                action text not null, detail text not null, repeats integer not null default 0);
        """)
        self._db.executemany(
            "insert or ignore into invoices (id, supplier, received, purchase_order)"
            " values (:id, :supplier, :received, :purchase_order)",
            json.loads((DATA / "invoices.json").read_text()),
        )

    def pending(self) -> list[dict[str, Any]]:
        return self._rows(
            "select id, supplier, received, purchase_order from invoices"
            " where status = 'pending' order by rowid"
        )

    def effects(self) -> dict[str, Any]:
        return {
            "effects": self._rows(
                "select key, invoice, action, detail, repeats from effects order by number"
            ),
            "invoices": self._rows(
                "select id, supplier, status, count(number) as effects from invoices"
                " left join effects on invoice = id group by id order by invoices.rowid"
            ),
        }

    def decide(self, invoice: str, action: str, detail: str, key: str) -> dict[str, Any]:
        """Applies a decision once per key and returns its receipt."""
        with self._turn:
            self._wait_while_holding()
            known = self._rows("select 1 from invoices where id = ?", invoice)
            if not known:
                raise Refused(HTTPStatus.NOT_FOUND, f"no invoice {invoice}")
            if not self._repeat(invoice, action, detail, key):
                self._apply(invoice, action, detail, key)
            [receipt] = self._rows(
                "select number as receipt, action from effects where key = ?", key
            )
            return receipt

    def release(self) -> None:
        with self._turn:
            self._holding = False
            self._releases += 1
            self._turn.notify_all()

    def _repeat(self, invoice: str, action: str, detail: str, key: str) -> bool:
        known = self._rows("select invoice, action, detail from effects where key = ?", key)
        if known and known != [{"invoice": invoice, "action": action, "detail": detail}]:
            raise Refused(HTTPStatus.CONFLICT, f"key {key} was used for another request")
        self._db.execute("update effects set repeats = repeats + 1 where key = ?", (key,))
        return bool(known)

    def _apply(self, invoice: str, action: str, detail: str, key: str) -> None:
        with self._db:
            self._db.execute("begin immediate")
            number = self._db.execute(
                "insert into effects (key, invoice, action, detail) values (?, ?, ?, ?)",
                (key, invoice, action, detail),
            ).lastrowid
            self._db.execute(
                "update invoices set status = ? where id = ?", (DECISIONS[action][1], invoice)
            )
        if number == self._hold_after:
            self._holding = True
            print(json.dumps({"held": {"invoice": invoice, "key": key}}), flush=True)
            self._wait_while_holding()

    def _wait_while_holding(self) -> None:
        releases = self._releases
        self._turn.wait_for(lambda: not self._holding or self._releases > releases)
        if self._releases > releases:
            raise HungUp

    def _rows(self, sql: str, *values: str) -> list[dict[str, Any]]:
        with self._turn:
            return [dict(row) for row in self._db.execute(sql, values)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    books: Books

    def do_GET(self) -> None:
        match self.path.strip("/").split("/"):
            case ["invoices"]:
                self._send_json(self.books.pending())
            case ["invoices", invoice, "pdf"] if invoice in {p.stem for p in DATA.glob("*.pdf")}:
                self._send((DATA / f"{invoice}.pdf").read_bytes(), "application/pdf")
            case ["purchase-orders.csv"]:
                self._send((DATA / "purchase_orders.csv").read_bytes(), "text/csv")
            case ["effects"]:
                self._send_json(self.books.effects())
            case _:
                self._send_json({"error": "not found"}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._send_json(self._post(body))
        except Refused as refused:
            self._send_json({"error": str(refused)}, refused.status)
        except HungUp:
            self.close_connection = True

    def _post(self, body: bytes) -> dict[str, Any]:
        match self.path.strip("/").split("/"):
            case ["release"]:
                self.books.release()
                return {}
            case ["invoices", invoice, action] if action in DECISIONS:
                key = self.headers.get("Idempotency-Key")
                if not key:
                    raise Refused(HTTPStatus.BAD_REQUEST, "Idempotency-Key is missing")
                field, _ = DECISIONS[action]
                try:
                    detail = json.dumps(json.loads(body)[field])
                except (ValueError, KeyError, TypeError):
                    raise Refused(HTTPStatus.BAD_REQUEST, f"{field} is missing") from None
                return self.books.decide(invoice, action, detail, key)
            case _:
                raise Refused(HTTPStatus.NOT_FOUND, "not found")

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the counts are what matters."""


def main() -> None:
    options = argparse.ArgumentParser(prog="invoices.accounting")
    options.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    options.add_argument("--books", default=":memory:", help="an SQLite file")
    options.add_argument("--hold-after", type=int, default=0, metavar="N")
    chosen = options.parse_args()
    Handler.books = Books(chosen.books, chosen.hold_after)
    with ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler) as server:
        print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
