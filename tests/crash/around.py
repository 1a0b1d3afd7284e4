"""What stands around a worker that is killed: its processes, events from outside, the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.behind import rows
from tests.crash import service
from tests.crash.load import AT_MOST_ONCE, EFFECTS, NEVER_DONE, REPLY, RESULT, USER

from lampwork.jobs_door import JobsDoor
from lampwork.place import Folder, Server
from lampwork.store.store import Store

ROOT = Path(__file__).resolve().parents[2]

Home = Path | Server
"""Where the load's state is: a folder, or a database."""


DEADLINE = 60.0
"""Seconds for a life."""

DEEPER = int(os.environ.get("LAMPWORK_DEEPER", "1")) > 1
"""Whether more is tried than in CI."""


@dataclass(frozen=True)
class Life:
    """A worker's life: how it ended, and all that it said."""

    code: int
    said: list[dict[str, Any]]

    def __getitem__(self, what: str) -> list[Any]:
        return [each[what] for each in self.said if what in each]


class Workers:
    """Workers, one after the other, each with its orders."""

    def __init__(self, stderr: Path) -> None:
        self.stderr = stderr
        with stderr.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.worker"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    async def live(self, home: Home, *loads: str, failpoints: str = "", **more: Any) -> Life:
        """Let a worker live until it ends or is killed."""
        # At a server nobody goes on before the one before was found gone: by heartbeats, if it was
        # killed before its row named its session.
        often = {"park_after": 0.02, "sweep_interval": 0.3, "heartbeat": 0.6}
        settings = often | more.pop("settings", {})
        where = {"db": home.url} if isinstance(home, Server) else {"home": str(home)}
        order = {"where": where, "loads": loads, "failpoints": failpoints, "settings": settings}
        pid = self._order(order | more)
        ending = asyncio.create_task(asyncio.to_thread(self._listen))
        done, _ = await asyncio.wait({ending}, timeout=DEADLINE)
        if not done:
            os.kill(pid, signal.SIGKILL)
        life = await ending
        assert done, f"the worker had not ended after {DEADLINE} s: {life.said} {open_in(home)}"
        return life

    def _order(self, order: dict[str, Any]) -> int:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._said()["pid"]

    def _listen(self) -> Life:
        said: list[dict[str, Any]] = []
        while "ended" not in (line := self._said()):
            said.append(line)
        return Life(line["ended"], said)

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def served(file: Path) -> Iterator[str]:
    """The service, in its own process; its URL."""
    command = [sys.executable, "-m", "tests.crash.service", str(file)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


# --- people and services outside ---


class Outside:
    """Sends each job its events, once, says of unknown outcomes what the service knows, and decides
    on what is proposed in chats."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._door = JobsDoor(store)
        self._done: set[tuple[str, str]] = set()
        self.resolved: defaultdict[str, list[str]] = defaultdict(list)
        """What was said of each key whose outcome nobody knew."""
        self.changed = asyncio.Event()

    async def attend(self) -> None:
        loop = asyncio.get_running_loop()
        self._store.watch(lambda _topics: loop.call_soon_threadsafe(self.changed.set))
        while True:
            self.changed.clear()
            await self._look()
            await self.changed.wait()

    async def _look(self) -> None:
        for (job_id,) in await self._rows(
            "select id from jobs where callable = 'everything' and not exists "
            "(select 1 from inbox where topic = jobs.id || '\\:early')"
        ):
            await self._send(job_id, "early", 1)
        for (job_id,) in await self._rows(
            "select job_id from waits join jobs on jobs.id = job_id where kind = 'event' and "
            "want = 'parked' and subject ->> 'name' = 'go' and not answered"
        ):
            await self._send(job_id, "go", 2)
        for wait_id, key in await self._rows(
            "select id, subject ->> 'key' from waits where kind = 'resolution' and not answered"
        ):
            receipt = await asyncio.to_thread(service.known, key)
            said = "happened" if receipt else "did_not_happen"
            self.resolved[key].append(said)
            await self._door.resolve(wait_id, said, result=receipt, by="the service")

        for wait_id, skill, digest in await self._rows(
            "select id, subject ->> 'skill', subject ->> 'digest' "
            "from waits where kind = 'confirmation' and not answered"
        ):
            decide = self._door.reject if skill == NEVER_DONE else self._door.confirm
            await decide(wait_id, by=USER, digest=digest)

    async def _send(self, job_id: str, name: str, value: int) -> None:
        if (job_id, name) not in self._done:
            self._done.add((job_id, name))
            await self._door.send_event(job_id, name, value)

    async def _rows(self, query: str) -> list[Any]:
        return await self._store.read(lambda each: list(each.execute(sa.text(query))))


@asynccontextmanager
async def outside(home: Home) -> AsyncIterator[Outside]:
    """Somebody outside who does what the jobs wait for, as long as the block lasts."""
    place = home if isinstance(home, Server) else Folder(home)
    store = await asyncio.to_thread(Store, place)
    attending = asyncio.create_task((there := Outside(store)).attend())
    try:
        yield there
        if attending.done():
            attending.result()
    finally:
        attending.cancel()
        await asyncio.wait({attending})
        await asyncio.to_thread(store.close)


# --- the verdict ---


@dataclass(frozen=True)
class Undisturbed:
    """What a load gives when nothing goes wrong."""

    tree: list[tuple[str, str, int]]
    hits: Counter[str]
    """Of each failpoint."""
    ledger: Path
    """What the service has done, for all loads."""

    def check(self, home: Home, load: str, life: Life, of: int = 1) -> None:
        """A disturbed run of the load came to the same, and did nothing twice.

        `of` is how many loads there are in the folder.
        """
        assert {"load": load, "result": RESULT} in life.said
        assert {"load": load, "reply": REPLY} in life.said
        assert tree(home) == [(callable, status, n * of) for callable, status, n in self.tree]
        check_records(home)
        assert rows(home, "select holder from places") == []
        done = service.effects(self.ledger, load)
        assert done.keys() == EFFECTS
        doubled = {effect: keys for effect, keys in done.items() if len(keys) != 1}
        assert doubled == {}, "an effect was done under two keys"
        again = {effect: keys for effect, keys in done.items() if keys.total() != 1}
        assert again.keys() & AT_MOST_ONCE == set(), "an at_most_once effect was done again"


def open_in(home: Home) -> dict[str, Any]:
    """What has not ended."""
    return {
        "jobs": rows(home, "select id, callable, want, status from jobs where ended_at is null"),
        "waits": rows(home, "select id, kind, parked from waits where not answered"),
        "holds": rows(home, "select id, holder from conversations where holder is not null"),
        "line": rows(home, "select task_id from line"),
        "messages": rows(home, "select topic from inbox where wait_id is null"),
        "engine": rows(
            home,
            "select workflow_uuid, status from workflow_status where status != 'SUCCESS'",
            "dbos",
        ),
    }


def tree(home: Home) -> list[tuple[str, str, int]]:
    """What ran and how it ended, how often, whatever its ids."""
    query = "select callable, status, count(*) from jobs group by 1, 2 order by 1, 2"
    return rows(home, query)


def check_records(home: Home) -> None:
    """Nothing is open, the engine has our jobs and no others, and the records are whole."""
    left = {what: found for what, found in open_in(home).items() if found}
    assert left == {}, left
    ours = {job_id for (job_id,) in rows(home, "select id from jobs")}
    theirs = rows(home, "select workflow_uuid from workflow_status", "dbos")
    assert ours == {job_id for (job_id,) in theirs}
    check_blobs(home)
    answered = rows(home, "select wait_id, count(*) from inbox group by 1 having count(*) > 1")
    assert answered == [], "waits that were answered twice"
    check_budgets(home)
    numbers: dict[str, list[int]] = defaultdict(list)
    calls: Counter[tuple[str, str, str]] = Counter()
    query = "select conversation_id, seq, kind, body ->> 'call' from entries"
    for conversation, seq, kind, call in rows(home, f"{query} order by 1, 2"):
        numbers[conversation].append(seq)
        if kind in ("proposal", "intent", "result"):
            calls[conversation, call, kind] += 1
    for seqs in numbers.values():
        assert seqs == list(range(1, len(seqs) + 1)), "a conversation has a gap"
    assert set(calls.values()) == {1}, "a call is asked once, begins once and has one result"
    proposals, intents, results = (
        {(conversation, call) for conversation, call, kind in calls if kind == wanted}
        for wanted in ("proposal", "intent", "result")
    )
    assert proposals | intents == results
    rejected = {
        (conversation, call)
        for conversation, call in rows(
            home,
            "select conversation_id, body ->> 'call' from entries "
            "where kind = 'result' and body ->> 'status' = 'rejected'",
        )
    }
    assert proposals - intents == rejected, "what was not confirmed has not begun"


def check_budgets(home: Home) -> None:
    """Nothing is reserved; each reply, call that was cut off, and intent is charged, and once."""
    assert rows(home, "select * from reservations") == []
    said, intent = (
        f"(select count(*) from entries where task_id = budgets.id and kind = '{kind}')"
        for kind in ("said", "intent")
    )
    figures = rows(
        home,
        "select reserved_model_calls, spent_model_calls - estimated_model_calls, "
        f"spent_skill_calls, {said}, {intent} from budgets",
    )
    assert figures, "the load has a budget"
    for reserved, replied, acted, replies, intents in figures:
        assert (reserved, replied, acted) == (0, replies, intents)


def check_blobs(home: Home) -> None:
    """Each file and artifact has its content, and an owner that keeps it."""
    named = {digest for (digest,) in rows(home, "select digest from artifacts")}
    for (files,) in rows(home, "select cast(files as text) from tasks where files is not null"):
        named |= {file[what] for file in json.loads(files) for what in ("digest", "text")}
    owned = rows(
        home, "select blobs.digest from blobs join blob_owners using (digest) group by digest"
    )
    assert named <= {digest for (digest,) in owned}
