"""One line for each job that starts, waits or ends, and what to type when a person is needed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from lampwork.cli import output
from lampwork.cli.dev.voice import Voice
from lampwork.cli.options import Options
from lampwork.cli.screen import tree
from lampwork.errors import JobNotFound
from lampwork.insights import Insights
from lampwork.views import JobView, to_json

_PAGE = 100
"""Jobs that a look takes in, the newest, beside those that are followed."""

_PAUSE = 0.2
"""Seconds between two looks at what has changed."""

_FOLLOWED = 200
"""Unfinished jobs that are followed; of more, the newest."""

_AT_ONCE = 20
"""Lines of one look."""

_QUEUED = ("queued", "")


@dataclass(slots=True)
class JobLines:
    """Tells of the jobs at the top of their trees."""

    insights: Insights
    options: Options
    voice: Voice
    _told: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Of unfinished jobs, what was told last."""
    _page: frozenset[str] | None = None
    """The newest jobs of the last look; None before the first."""

    async def tell(self, changed: asyncio.Event) -> None:
        """Tell what has changed, whenever something has."""
        while True:
            await changed.wait()
            changed.clear()
            await self.look()
            await asyncio.sleep(_PAUSE)

    async def look(self) -> None:
        """Tell what has changed since the last look."""
        jobs = await self._changed()
        said = 0
        for job in sorted(jobs, key=lambda each: each.job_id):
            if not self._is_news(job):
                continue
            said += 1
            if said <= _AT_ONCE or self.voice.as_json:
                self._say(job)
        if said > _AT_ONCE and not self.voice.as_json:
            more = output.counted(said - _AT_ONCE, "more job")
            self.voice.tell("jobs", f"and {more}: {self.options.to_type('jobs')}")
        for each in list(self._told)[:-_FOLLOWED]:
            del self._told[each]

    async def _changed(self) -> list[JobView]:
        """Those that are new, and those that had not ended; at first those that have not ended."""
        page = (await self.insights.jobs(roots=True, limit=_PAGE)).items
        followed = set(self._told) - {each.job_id for each in page}
        older: list[JobView] = []
        for each in followed:
            try:
                older.append(await self.insights.view(each))
            except JobNotFound:  # pruned
                del self._told[each]
        first, before = self._page is None, self._page or frozenset[str]()
        # By what was there: a job may be committed after another one that has the later id.
        oldest = min(before) if len(before) == _PAGE else ""
        self._page = frozenset(each.job_id for each in page)
        unseen = [each for each in page if each.job_id not in before and each.job_id > oldest]
        new = [each for each in unseen if not (first and each.ended_at)]
        known = [each for each in page if each.job_id in self._told and each not in new]
        return [*older, *known, *new]

    def _is_news(self, job: JobView) -> bool:
        """Whether it has started, waits for something else, or has ended since it was told of."""
        now = (job.status, self._waits(job))
        before = self._told.get(job.job_id)
        if job.ended_at is not None:
            self._told.pop(job.job_id, None)
            return True
        if before == now or (job.status == "running" and before not in (None, _QUEUED)):
            return False
        self._told[job.job_id] = now
        return now != _QUEUED and (job.status == "running" or _waits(job))

    def _waits(self, job: JobView) -> str:
        return "; ".join(each.what for each in job.waiting_on) if _waits(job) else ""

    def _say(self, job: JobView) -> None:
        text = f"{job.job_id}  {job.title}  "
        if job.ended_at is not None:
            text += f"{job.status} in {output.span(job.started_at or job.created_at, job.ended_at)}"
            if job.status == "failed":
                text += f"\n  {self.options.to_type('job', job.job_id)}"
        elif _waits(job):
            text += f"waits: {self._waits(job)}"
            for job_id, wait in tree.each_wait(job.job_id, job.waiting_on):
                text += "".join(f"\n  {each}" for each in tree.remedies(self.options, job_id, wait))
        else:
            text += job.status
        self.voice.tell("job", text, job=to_json(job))


def _waits(job: JobView) -> bool:
    return job.status in ("suspended", "needs_attention") and bool(job.waiting_on)
