"""The world around the soak, in a process that is not killed: it sends events and resolves doubts.

`python -m benchmarks.soak_outside HOME`. It only writes to the folder's database, as any process
may. What happened to an effect whose outcome is unknown it asks the service, which knows. Reports
are lines of JSON on stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import folder
from benchmarks.soak_project import WAITING_FOR_GO, known, project
from lampwork import LampworkError
from lampwork.door import Door
from lampwork.store.store import Store

LOOK_AGAIN = 0.03

WAITING = f"""
    select id, json_extract(input, '$.number') from jobs
    where parent_id is null and callable in {WAITING_FOR_GO}
    and (json_extract(input, '$.number') % 3 = 0
         or exists (select * from waits where job_id = jobs.id and kind = 'event'))
"""
"""Jobs to send their event to: a third at once, maybe too early, the others when they wait."""

DOUBTS = """
    select waits.id, json_extract(waits.subject, '$.key') from waits join jobs on jobs.id = job_id
    where kind = 'resolution' and not answered and ended_at is null
"""


def say(**report: Any) -> None:
    print(json.dumps(report), flush=True)


@dataclass
class Outside:
    home: Path
    door: Door
    sent: set[str] = field(default_factory=set)
    resolved: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """Do what somebody waits for; a refusal is reported, because each is asked for once."""
        for job_id, number in folder.rows(self.home, WAITING):
            if job_id not in self.sent:
                self.sent.add(job_id)
                await self._try("send", job_id, self.door.send_event(job_id, "go", number))
        for wait_id, key in folder.rows(self.home, DOUBTS):
            if wait_id not in self.resolved:
                self.resolved.add(wait_id)
                receipt = await asyncio.to_thread(known, key)
                said = "happened" if receipt else "did_not_happen"
                resolving = self.door.resolve(wait_id, said, result=receipt, by="the service")
                await self._try(said, wait_id, resolving)
        for (job_id,) in folder.rows(self.home, "select id from jobs where want = 'attention'"):
            await self._try("go_on", job_id, self.door.go_on(job_id))

    async def _try(self, what: str, to: str, doing: Any) -> None:
        try:
            await doing
        except LampworkError as error:
            say(refused=what, to=to, why=str(error))
        else:
            say(did=what, to=to)


async def main(home: str) -> None:
    store = Store(Path(home))
    outside = Outside(Path(home), Door(project, store))
    say(life="open")
    while True:
        await outside.look()
        await asyncio.sleep(LOOK_AGAIN)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
