"""Rehearsals of unfinished jobs in a child process, on a copy of the databases.

The child says before each job that it begins it, so that code which never comes back, or ends the
process, is known by its job.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from lampwork.cli.lifeline import Lifeline
from lampwork.errors import LampworkError, ProjectError
from lampwork.place import Place
from lampwork.project import Project
from lampwork.versioning.rehearsal import Difference, not_in_time
from lampwork.versioning.upgrade import Rehearsed, Unfinished, came_of, rehearse_all

_LOADING = 60.0
"""Seconds that the project gets to be imported."""

_LEEWAY = 5.0
"""Seconds after which a child that should have given a job up is ended."""

_LONGEST = 2**24
"""Bytes of the longest line that a child writes."""


# --- in the child ---


async def rehearse(project: Project, place: Place, *, after: int, patience: float) -> None:
    """Rehearse a project's unfinished jobs, but for the first `after`, and tell what comes of it.

    Raises StoreUnavailable.
    """
    rehearsing = rehearse_all(
        project,
        place,
        after=after,
        patience=patience,
        on_begin=lambda job: tell({"begins": asdict(job)}),
    )
    async for each in rehearsing:
        tell({"rehearsed": asdict(each)})
    tell({"done": True})


def tell(message: dict[str, Any]) -> None:
    """Tell the parent."""
    print(json.dumps(message), file=sys.__stdout__, flush=True)


# --- in the parent ---


@dataclass
class Found:
    """What the children have said."""

    loaded: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of the project."""
    jobs: list[Rehearsed] = field(default_factory=list[Rehearsed])
    begun: Unfinished | None = None

    @property
    def stopped(self) -> list[Rehearsed]:
        """The jobs that would not go on."""
        return [each for each in self.jobs if not each.goes_on]

    def add(self, difference: Difference) -> None:
        """The job whose code ran would not go on, for this reason."""
        assert self.begun is not None
        self.jobs.append(came_of(self.begun, difference))
        self.begun = None


async def rehearse_in_children(
    words: Sequence[str], found: Found, patience: float, environment: Mapping[str, str] = {}
) -> None:
    """Fill `found` with what children that are called with these words say.

    A child that a job has made an end of is followed by another one, for the jobs after it. Raises
    what a child has told that it failed with, and ProjectError.
    """
    while not await _listen(words, found, patience, environment):
        pass


async def _listen(
    words: Sequence[str], found: Found, patience: float, environment: Mapping[str, str]
) -> bool:
    """Hear a child out, which goes on after what was found; whether it has come to its end."""
    line = Lifeline()
    after = ["--rehearse-after", str(len(found.jobs)), "--lifeline", str(line.theirs)]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lampwork", *words, "--json", *after),
        stdin=DEVNULL,
        stdout=PIPE,
        limit=_LONGEST,
        pass_fds=[line.theirs],
        process_group=0,
        env={**os.environ, **environment},
    )
    line.let_go()
    try:
        while (message := await _next(child, found, patience)) is not None:
            match message:
                case {"loaded": loaded}:
                    found.loaded |= loaded
                case {"begins": job}:
                    found.begun = Unfinished(**job)
                case {"rehearsed": job}:
                    found.jobs.append(Rehearsed(**(job | {"notes": tuple(job["notes"])})))
                    found.begun = None
                case {"error": record}:
                    raise LampworkError.from_record(record)
                case _:
                    return True
        return False
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        line.close()


async def _next(child: Process, found: Found, patience: float) -> dict[str, Any] | None:
    """What the child says next; None if it must be replaced because of the job it was at."""
    assert child.stdout is not None
    try:
        async with asyncio.timeout(_LOADING if found.begun is None else patience + _LEEWAY):
            line = await child.stdout.readline()
    except TimeoutError:
        if found.begun is None:
            raise ProjectError(
                f"The project was not imported within {_LOADING:g} s. "
                "Its module does something that takes time when it is imported."
            ) from None
        found.add(not_in_time(patience))
        return None
    if line:
        return json.loads(line)
    code = await child.wait()
    if found.begun is None:
        raise ProjectError(f"The project's code has ended the process, with exit code {code}.")
    found.add(Difference(f"its code ended the process that rehearsed it, with exit code {code}."))
    return None
