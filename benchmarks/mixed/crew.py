"""The workers of a mixed load, and the people around them: born, hurt, replaced, led to quiet."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import runs
from benchmarks.mixed import processes
from benchmarks.mixed.faults import Birth, Fault
from benchmarks.mixed.ground import Ground, Server
from benchmarks.mixed.processes import Ledger, Life, Process
from benchmarks.mixed.verdict import Promise, verdict

OPEN_AT_MOST = 40
"""Jobs that have not ended; when there are more, a new worker starts only a few."""

STANDS_STILL = 60.0
"""Seconds in which, when it is to become quiet, something must move: else a job is stranded."""

NONE_ENDS = 300.0
"""Seconds in which some job must end, however much moves: else they go round in circles."""

LOOKS_EVERY = 2.0
"""Seconds between two looks at whether something moves."""

CLOSES_WITHIN = 30.0
"""Seconds for a worker that was told to close: its effects get 10."""


class Crew:
    """Workers in slots; whoever dies is replaced."""

    def __init__(
        self,
        ground: Ground,
        url: str,
        place: Path,
        workers: int,
        birth: Callable[[int], Birth],
        load: dict[str, float] | None = None,
    ) -> None:
        """`load` is how jobs are started and kept, see worker.py."""
        self.ground = ground
        self._url = url
        self.workers = workers
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()
        self.slots: list[Life | None] = [None] * workers
        self.leaving: dict[int, tuple[Life, float]] = {}
        """Lives that were told to close, and by when they must have."""
        self.thaws: list[tuple[float, Life]] = []
        self.away = False
        """Whether the database has been stopped."""
        self._birth = birth
        self._load = load or {}
        self._born = 0
        self._lull = place / "lull"
        log = place / "stderr.log"
        self._nursery = Process(self.ledger, log, "worker")
        self._people = Process(
            self.ledger, log, "people", json.dumps(self._order(workers) | {"room": 6})
        )
        try:
            self.ledger.until(lambda: "people" in self.ledger.open, "the people are there", 60)
        except runs.RunFailed as error:
            self.close()
            raise runs.RunFailed(f"{error}\n{log.read_text()[-4000:]}") from error

    def close(self) -> None:
        for life in self._lives():
            life.signal(signal.SIGKILL)
        self._people.close()
        self._nursery.close()

    # --- lives ---

    def tend(self, until: float) -> None:
        """Until that moment, replace those that die, thaw what is frozen."""
        while True:
            self._bury()
            for slot, life in enumerate(self.slots):
                if life is None and self._has_place():
                    self.slots[slot] = self._bear(slot)
            now = time.monotonic()
            for thaw in [each for each in self.thaws if each[0] <= now]:
                self.thaws.remove(thaw)
                thaw[1].signal(signal.SIGCONT)
            if now >= until:
                return
            moments = [until, now + 0.5, *(at for at, _ in self.thaws)]
            with self.ledger.changed:
                self.ledger.changed.wait(max(0.001, min(moments) - now))

    def _has_place(self) -> bool:
        """One process executes a folder: its successor comes when it is gone."""
        return not self.away if isinstance(self.ground, Server) else not self.leaving

    def _bear(self, slot: int) -> Life:
        number, self._born = self._born, self._born + 1
        birth = self._birth(number)
        room = max(4, OPEN_AT_MOST - self._unfinished()) // self.workers
        self._nursery.told(
            self._order(slot)
            | {"life": number, "room": room, "failpoints": birth.failpoints}
            | {"settings": self.ground.settings | birth.settings}
        )
        self.ledger.until(lambda: number in self.ledger.pids, "a worker is born", 20)
        return Life(number, self.ledger.pids[number], armed=bool(birth.failpoints))

    def _order(self, starter: int) -> dict[str, Any]:
        starters = self.workers + 1
        return {
            "settings": self.ground.settings,
            "next": self.ledger.next_of(starter, starters),
            "step": starters,
            "lull": str(self._lull),
        } | self._load

    def _bury(self) -> None:
        """Note who has ended, and whether that was to be."""
        now = time.monotonic()
        for slot, life in enumerate(self.slots):
            if life is not None and (code := self.ledger.ended.get(life.number)) is not None:
                self.slots[slot] = None
                if code == -signal.SIGKILL and (life.fate == "killed" or life.armed):
                    self.counts["kills"] += 1
                elif self._may_give_up(code):
                    self.counts["gave up without the database"] += 1
                else:
                    self.ledger.wrong.append(f"worker {life.number} ended by itself, with {code}")
        for number, (life, by) in list(self.leaving.items()):
            code = self.ledger.ended.get(number)
            if code is None and now < by:
                continue
            del self.leaving[number]
            if code is None:
                life.signal(signal.SIGKILL)
                self.ledger.wrong.append(f"worker {number} did not close")
            elif code == -signal.SIGKILL and life.armed:
                self.counts["kills"] += 1
            elif self._may_give_up(code):
                self.counts["gave up without the database"] += 1
            elif code == -signal.SIGTERM and number not in self.ledger.open:
                self.counts["told to close before it was open"] += 1
            elif code != 0:
                self.ledger.wrong.append(f"worker {number} closed with {code}")

    def _may_give_up(self, code: int) -> bool:
        """A worker that finds no database when it opens or closes says so and ends."""
        return code == os.EX_TEMPFAIL and isinstance(self.ground, Server)

    def _lives(self) -> Iterator[Life]:
        yield from (life for life in self.slots if life is not None)
        yield from (life for life, _ in self.leaving.values())

    def pids(self) -> list[int]:
        return [life.pid for life in self._lives()]

    # --- faults ---

    def befall(self, fault: Fault) -> None:
        life = self.slots[fault.slot]
        match fault.kind:
            case "kill" if life is not None:
                life.fate = "killed"
                life.signal(signal.SIGKILL)
                self.ledger.until(lambda: life.number in self.ledger.ended, "a worker is dead", 20)
                self._bury()
                return  # counted when it was buried
            case "freeze" if life is not None:
                life.signal(signal.SIGSTOP)
                self.thaws.append((time.monotonic() + fault.seconds, life))
            case "drain" if life is not None:
                self._drain(life)
                self.slots[fault.slot] = None
            case "cut" if isinstance(self.ground, Server):
                self.ground.cut(fault.share)
            case "stop fast" | "stop immediate" if isinstance(self.ground, Server):
                self.ground.cluster.stop("fast" if fault.kind == "stop fast" else "immediate")
                self.away = True
                self.tend(time.monotonic() + fault.seconds)
                self.ground.cluster.start()
                self.away = False
            case _:
                return
        self.counts[fault.kind] += 1

    def _drain(self, life: Life) -> None:
        life.fate = "drained"
        life.signal(signal.SIGTERM)
        frozen = [at for at, each in self.thaws if each is life]
        by = max([time.monotonic(), *frozen]) + CLOSES_WITHIN
        self.leaving[life.number] = life, by

    # --- quiet ---

    def become_quiet(self) -> float:
        """Let everything come to its end; how many seconds that took."""
        began = now = moved_at = ended_at = time.monotonic()
        looked_at, stood, ended = 0.0, None, -1
        self._lull.touch()
        arrived = processes.told_service(self._url, "/lull", {"on": True})["arrived"]
        for _, life in self.thaws:
            life.signal(signal.SIGCONT)
        self.thaws.clear()
        while not self._is_quiet(arrived):
            if self._people.ended:
                self.ledger.wrong.append("the people have ended by themselves, see stderr.log")
                break
            self.tend(now + 0.05)
            now = time.monotonic()
            if now > looked_at + LOOKS_EVERY:
                looked_at = now
                if stood != (stood := self._standing()):
                    moved_at = now
                if ended != (ended := self._ended()):
                    ended_at = now
            if now > min(moved_at + STANDS_STILL, ended_at + NONE_ENDS):
                what = "stands still" if now > moved_at + STANDS_STILL else "moves, and none ends"
                self.ledger.wrong.append(f"{what}: {self._open()}")
                break
        return time.monotonic() - began

    def go_on(self) -> None:
        """Let new jobs come."""
        processes.told_service(self._url, "/lull", {"on": False})
        self._lull.unlink()

    def _is_quiet(self, arrived: int) -> bool:
        clock = "select paused is not null from triggers where kind = 'cron'"
        polled = "select cast(cursor as text) from triggers where kind = 'poll'"
        return (
            all(rests for (rests,) in self.ground.rows(clock))
            and all(int(last or 0) >= arrived for (last,) in self.ground.rows(polled))
            and not self._unfinished()
        )

    def _ended(self) -> int:
        return self.ground.rows("select count(ended_at) from jobs")[0][0]

    def _unfinished(self) -> int:
        return self.ground.rows("select count(*) from jobs where ended_at is null")[0][0]

    def _standing(self) -> list[Any]:
        """What changes as soon as any job gets on with anything, and by no heartbeat."""
        return [
            *self.ground.rows("select count(*), count(ended_at), max(changed_at) from jobs"),
            *self.ground.rows("select count(*) from entries"),
            *self.ground.rows("select count(*), max(id) from inbox"),
            *self.ground.rows("select count(envelope) from calls"),
        ]

    def _open(self) -> list[Any]:
        return [
            *self.ground.rows(
                "select id, callable, want, status, crashes, executor, executor in (select id from "
                "executors where closed_at is null) from jobs where ended_at is null"
            ),
            *self.ground.engine_rows(
                "select workflow_uuid, status, executor_id, queue_name from workflow_status "
                "where status in ('PENDING', 'ENQUEUED')"
            ),
        ]

    def rest(self) -> None:
        """Let all close, in order."""
        for slot, life in enumerate(self.slots):
            if life is not None:
                self._drain(life)
                self.slots[slot] = None
        while self.leaving:
            with self.ledger.changed:
                self.ledger.changed.wait(0.5)
            self._bury()

    def judged(self, *, deleted: bool = False) -> list[Promise]:
        """The promises, each with what broke it; `deleted` if jobs are no longer on record."""
        effects = processes.told_service(self._url, "/effects")
        self.counts["sent late"] = sum(each["late"] for each in effects)
        arrived = processes.told_service(self._url, "/lull", {"on": True})["arrived"]
        accepted = {} if deleted else self.ledger.accepted
        arrived = 0 if deleted else arrived
        return verdict(self.ground, accepted, effects, arrived, self.ledger.wrong)
