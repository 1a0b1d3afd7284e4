"""`lampwork upgrade-check`: which unfinished jobs would not go on with the code as it is now.

The code runs in a child process, on a copy of the databases. The child says before each job that
it begins it, so that code which never comes back, or ends the process, is known by its job.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load
from lampwork.errors import LampworkError, ProjectError
from lampwork.rehearsal import Difference, not_in_time
from lampwork.upgrade import (
    PATIENCE,
    Rehearsed,
    Unfinished,
    came_of,
    copy_databases,
    rehearse_all,
)

_LOADING = 60.0
"""Seconds that the project gets to be imported."""

_LEEWAY = 5.0
"""Seconds after which a child that should have given a job up is ended."""

_LONGEST = 2**24
"""Bytes of the longest line that a child writes."""

_PROVES = (
    "This proves what is on record of each job; what its code does after that was not rehearsed."
)


@click.command(
    "upgrade-check",
    epilog=examples("lampwork upgrade-check", "lampwork upgrade-check project.py --timeout 20"),
)
@click.argument("project", required=False, metavar="[PROJECT]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=PATIENCE,
    metavar="SECONDS",
    help="For the recipe of one job.",
)
@click.option("--rehearse-after", type=int, hidden=True, help="In the child: jobs that are done.")
@shared
def command(
    project: str | None,
    timeout: float,
    rehearse_after: int | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Find the unfinished jobs that would not go on with the project's code as it is now.

    Each one's recipe is led through what is on record, on a copy of the state, in a process of its
    own; no step, skill or model is called. A worker may go on meanwhile. Exits with 1 if a job
    would not go on.
    """
    options = Options(home, as_json)
    if rehearse_after is not None:
        return asyncio.run(_rehearse(project, options, timeout, rehearse_after))
    found = asyncio.run(_check(project, options, timeout))
    if as_json:
        output.say_json(_as_json(found))
    else:
        for line in _lines(found):
            output.say(line)
    return 1 if found.stopped else 0


# --- in the child ---


async def _rehearse(project: str | None, options: Options, patience: float, after: int) -> int:
    try:
        loaded = load(project)
        _tell({"project": loaded.name, "version": loaded.version})
        rehearsing = rehearse_all(
            loaded,
            options.settings.home,
            after=after,
            patience=patience,
            on_begin=lambda job: _tell({"begins": asdict(job)}),
        )
        async for each in rehearsing:
            _tell({"rehearsed": asdict(each)})
    except LampworkError as error:
        _tell({"error": error.to_record()})
        return 0
    _tell({"done": True})
    return 0


def _tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), file=sys.__stdout__, flush=True)


# --- in the parent ---


@dataclass
class _Found:
    """What the children have said."""

    project: str = ""
    version: str = ""
    jobs: list[Rehearsed] = field(default_factory=list[Rehearsed])
    begun: Unfinished | None = None

    @property
    def stopped(self) -> list[Rehearsed]:
        return [each for each in self.jobs if not each.goes_on]

    def add(self, difference: Difference) -> None:
        """The job whose code ran would not go on, for this reason."""
        assert self.begun is not None
        self.jobs.append(came_of(self.begun, difference))
        self.begun = None


async def _check(project: str | None, options: Options, patience: float) -> _Found:
    found = _Found()
    with tempfile.TemporaryDirectory(prefix="lampwork-upgrade-check-") as folder:
        await asyncio.to_thread(copy_databases, options.settings.home, Path(folder))
        words = [*([project] if project else []), "--home", folder, "--timeout", f"{patience}"]
        while not await _listen(words, found, patience):
            pass
    return found


async def _listen(words: Sequence[str], found: _Found, patience: float) -> bool:
    """Hear a child out, which goes on after what was found; whether it has come to its end."""
    after = ["--json", "--rehearse-after", str(len(found.jobs))]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lampwork", "upgrade-check", *words, *after),
        stdin=DEVNULL,
        stdout=PIPE,
        limit=_LONGEST,
    )
    try:
        while (message := await _next(child, found, patience)) is not None:
            match message:
                case {"project": name, "version": version}:
                    found.project, found.version = name, version
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


async def _next(child: Process, found: _Found, patience: float) -> dict[str, Any] | None:
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


# --- what is shown ---


def _as_json(found: _Found) -> dict[str, Any]:
    return {
        "project": found.project,
        "version": found.version,
        "unfinished": len(found.jobs),
        "items": [asdict(each) for each in found.jobs if not each.goes_on or each.notes],
        "next": None,
        "proves": _PROVES,
    }


def _lines(found: _Found) -> Iterator[str]:
    count = output.counted(len(found.jobs), "unfinished job")
    if not found.jobs:
        yield f"{found.project} has no unfinished jobs."
        return
    if not found.stopped:
        yield f"{found.project} has {count}. All go on with the code as it is now."
    else:
        yield f"{found.project} has {count}. With the code as it is now these would not go on:"
    for each in found.stopped:
        place = "" if each.call is None else f" at call {each.call}"
        yield f"\n{each.job_id}  {each.recipe}  {each.status}{place}"
        yield f"  {each.why}"
    for each in found.jobs:
        yield from (f"\nNote: job {each.job_id}: {note}" for note in each.notes)
    yield f"\n{_PROVES}"
