"""The people around the load, in a process that nothing befalls.

`python -m benchmarks.mixed.people ORDER`, JSON with `settings`, and `next`, `step`, `room`, `lull`,
`pace` as for a worker. They start jobs from outside, send events, decide in chats, resolve doubts,
cancel, retry, and let the clock's trigger rest in a lull. They only use the database, as any
process may. What happened to an effect whose outcome is unknown they ask the service, which knows.
Whatever they do follows from what is on record, so that what the database did not take is done
again. Reports are lines of JSON on stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.mixed.effects import known
from benchmarks.mixed.expected import WAITING_FOR_GO, cancelled_after, kind_of
from benchmarks.mixed.project import NEVER_DONE, USER, project, start, teller, tick
from lampwork import LampworkError, Settings
from lampwork.door import Door
from lampwork.errors import StoreUnavailable
from lampwork.store.store import Store

LOOK_AGAIN = 0.03
BY = "the service"

OWN = "select count(*) from jobs where ended_at is null and parent_id is null"

WAITING = f"""
    select id, cast(input as text),
        exists (select * from waits where job_id = jobs.id and kind = 'event'
                and cast(subject as text) like '%"go"%')
    from jobs where parent_id is null and callable in {WAITING_FOR_GO} and ended_at is null
    and not exists (select * from inbox where topic = jobs.id || '\\:go')
"""
"""Jobs to send their event to: a third at once, maybe too early, the others when they wait."""

DOOMED = """
    select id, cast(input as text), created_at from jobs
    where callable = 'doomed' and want != 'cancelled' and ended_at is null
"""

FAILED = """
    select id from jobs where callable = 'flawed' and status = 'failed' and copy_of is null
    and not exists (select * from jobs as copies where copies.copy_of = jobs.id)
"""

QUESTIONS = """
    select waits.id, waits.kind, cast(subject as text) from waits join jobs on jobs.id = job_id
    where waits.kind in ('resolution', 'confirmation') and not answered and ended_at is null
    and want != 'cancelled' and not exists (select * from inbox where wait_id = waits.id)
"""

SERVED = """
    select id, idempotency_key, cast(outcome as text) from jobs
    where callable = 'lampwork.job:chat' and status = 'succeeded'
    and idempotency_key not like '%again' and not exists
        (select * from jobs as later where later.idempotency_key = jobs.idempotency_key || ' again')
"""

RESTS = "select paused is not null from triggers where kind = 'cron'"


def say(**report: Any) -> None:
    print(json.dumps(report), flush=True)


class People:
    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.number: int = order["next"]
        self.next_at = 0.0
        self.lull = Path(order["lull"])
        self.store = Store(Settings.load(**order["settings"]).place)
        self.door = Door(project, self.store)
        self.unsure: set[tuple[str, str]] = set()
        """What the database may have taken, or not: that it is refused later is no wonder."""

    async def attend(self) -> None:
        while True:
            try:
                await self._look()
            except StoreUnavailable:
                say(did="found the database away")
                await asyncio.sleep(0.2)
            await asyncio.sleep(LOOK_AGAIN)

    async def _look(self) -> None:
        for job_id, given, waits in await self._rows(WAITING):
            number = json.loads(given)["number"]
            if waits or number % 3 == 0:
                await self._do("send", job_id, self.door.send_event(job_id, "go", number))
        for job_id, given, since in await self._rows(DOOMED):
            if time.time() > since + cancelled_after(json.loads(given)["number"]):
                await self._do("cancel", job_id, self.door.cancel(job_id))
        for (job_id,) in await self._rows(FAILED):
            await self._do("retry", job_id, self.door.retry(job_id))
        for wait_id, kind, subject in await self._rows(QUESTIONS):
            await self._answer(wait_id, kind, json.loads(subject))
        for (job_id,) in await self._rows("select id from jobs where want = 'attention'"):
            await self._do("go_on", job_id, self.door.go_on(job_id))
        await self._talk()
        await self._rest(self.lull.exists())
        await self._start_jobs()

    async def _answer(self, wait_id: str, kind: str, subject: dict[str, Any]) -> None:
        if kind == "confirmation":
            rejected = subject["skill"] == NEVER_DONE
            decide = self.door.reject if rejected else self.door.confirm
            deciding = decide(wait_id, by=USER, digest=subject["digest"])
            await self._do("reject" if rejected else "confirm", wait_id, deciding)
        else:
            receipt = await asyncio.to_thread(known, subject["key"])
            said = "happened" if receipt else "did_not_happen"
            await self._do(said, wait_id, self.door.resolve(wait_id, said, result=receipt, by=BY))

    async def _talk(self) -> None:
        """Say something more, on, in each chat that has been served."""
        for job_id, key, _ in await self._rows(SERVED):
            [(on,)] = await self._rows(
                f"select conversation_id from tasks where job_id = '{job_id}'"
            )
            number = {"number": int(key.removeprefix("number ")) + 1_000_000}
            message = self.door.send_message(
                teller,
                "And again.",
                user=USER,
                conversation=on,
                metadata=number,
                idempotency_key=f"{key} again",
            )
            await self._do("say more", job_id, message)

    async def _rest(self, rests: bool) -> None:
        for (paused,) in await self._rows(RESTS):
            if rests and not paused:
                await self._do("pause", "tick", self.door.pause_trigger(tick, by=BY))
            elif paused and not rests:
                await self._do("start", "tick", self.door.start_trigger(tick, by=BY))

    async def _start_jobs(self) -> None:
        [(open_jobs,)] = await self._rows(OWN)
        rests = self.lull.exists() or time.monotonic() < self.next_at
        if open_jobs < self.order["room"] and not rests:
            keyed = "retention" not in self.order
            job = await start(self.door, self.number, kind_of(self.number), keyed=keyed)
            say(accepted=self.number, job_id=job.job_id)
            self.number += self.order["step"]
            self.next_at = time.monotonic() + self.order.get("pace", 0)

    async def _do(self, what: str, to: str, doing: Awaitable[Any]) -> None:
        try:
            await doing
        except StoreUnavailable:
            self.unsure.add((what, to))
            raise
        except LampworkError as error:
            if (what, to) not in self.unsure and not await self._is_over(to):
                say(refused=what, to=to, why=str(error))
        else:
            say(did=what)

    async def _is_over(self, to: str) -> bool:
        """Whether what is asked for has been overtaken: its job was cancelled, or has ended."""
        over = await self._rows(
            "select 1 from jobs where (want = 'cancelled' or ended_at is not null) and "
            f"(id = '{to}' or id = (select job_id from waits where id = '{to}'))"
        )
        return bool(over)

    async def _rows(self, query: str) -> list[Any]:
        return await self.store.read(lambda each: list(each.execute(sa.text(query))))


async def main(order: str) -> None:
    people = People(json.loads(order))
    say(life="people", is_open=True)
    await people.attend()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
