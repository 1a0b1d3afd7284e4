"""Whether unfinished jobs go on with the code as it is now, found out without doing anything.

It proves the recorded part of each job: today's code makes the calls that were made, reads their
results, and stands where the job stands. What comes after that nobody has tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lampwork import metadata
from lampwork.errors import NotImportable
from lampwork.genies.eligibility import in_words, obstacles
from lampwork.place import Folder, Place
from lampwork.store.jobs import unfinished
from lampwork.store.store import Store
from lampwork.store.upkeep.snapshot import copy_databases
from lampwork.versioning.rehearsal import Difference, Rehearsal, rehearse

if TYPE_CHECKING:
    from lampwork.project import Project

__all__ = ["PATIENCE", "Rehearsed", "Unfinished", "came_of", "copy_databases", "rehearse_all"]

PATIENCE = 10.0
"""Seconds that the recipe of one job gets to come to where the job stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An unfinished job."""

    job_id: str
    recipe: str
    status: str
    version: str
    """Of the code that it started with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed(Unfinished):
    """What came of rehearsing one job."""

    goes_on: bool
    call: int | None = None
    """The first call that differs."""
    why: str | None = None
    notes: tuple[str, ...] = ()
    """What is different and does not keep it from going on."""


async def rehearse_all(
    project: Project,
    place: Place,
    *,
    after: int = 0,
    patience: float = PATIENCE,
    on_begin: Callable[[Unfinished], None] = lambda _job: None,
) -> AsyncGenerator[Rehearsed]:
    """Rehearse the unfinished jobs of a project at a place, but for the first `after`.

    Nothing is written, but a folder of an older Lampwork is brought up to date first: give it a
    copy, see `copy_databases`. `on_begin` is called before the code of a job runs; should that code
    never give the process back, it is known whose it was.
    """
    if isinstance(place, Folder) and not (place.path / "lampwork.db").exists():
        return
    store = await asyncio.to_thread(Store, place)
    try:
        found = await store.read(unfinished.unfinished, project.name)
        for job_id in found[after:]:
            yield await _rehearsed(project, store, job_id, patience, on_begin)
    finally:
        await asyncio.to_thread(store.close)


async def _rehearsed(
    project: Project,
    store: Store,
    job_id: str,
    patience: float,
    on_begin: Callable[[Unfinished], None],
) -> Rehearsed:
    begun = await store.read(unfinished.begun, job_id)
    row = begun.row
    job = Unfinished(job_id=job_id, recipe=row.callable, status=row.status, version=row.version)
    on_begin(job)
    rehearsal = Rehearsal(project, store, begun)
    notes: list[str] = []
    difference = await _difference(rehearsal, notes, patience=patience)
    return came_of(job, difference, notes)


def came_of(job: Unfinished, difference: Difference | None, notes: Sequence[str] = ()) -> Rehearsed:
    """What came of a rehearsal that has shown this difference, or none."""
    return Rehearsed(
        job_id=job.job_id,
        recipe=job.recipe,
        status=job.status,
        version=job.version,
        goes_on=difference is None,
        call=None if difference is None else difference.call,
        why=None if difference is None else difference.why,
        notes=tuple(notes),
    )


# --- what keeps a job from going on ---


async def _difference(
    rehearsal: Rehearsal, notes: list[str], *, patience: float
) -> Difference | None:
    found = await rehearse(rehearsal, patience=patience)
    for call in rehearsal.stands_at:
        if found is None and call.kind == "task":
            found = await _in_open_task(rehearsal, call.number, notes)
    return found or await _after_end(rehearsal)


async def _in_open_task(rehearsal: Rehearsal, call: int, notes: list[str]) -> Difference | None:
    """What the genie of an open task has lost that the task needs. Type and terms were compared."""
    task = await rehearsal.store.read(unfinished.open_task, rehearsal.job_id, call)
    if task is None:
        return None
    genie = rehearsal.project.find_genie(task.genie)
    if found := obstacles(genie, public_only=True):
        return Difference(f"task {task.id} can't go on: {in_words(genie, found)}", call)
    withheld = metadata.withheld(genie.skills, task.metadata)
    skills = {each.name: each for each in genie.skills if each.name not in withheld}
    for intent in task.intents:
        skill = skills.get(intent.skill)
        same = skill is not None and (skill.recipe is None) == (intent.child is None)
        if not same and (intent.child is not None or intent.effect != "read"):
            return Difference(
                f'task {task.id} has an open call of skill "{intent.skill}", which genie '
                f'"{genie.name}" can no longer use: a person must say what became of it. '
                "Bring the skill back first.",
                call,
            )
    gone = [name for name in task.offered if name not in skills]
    if gone:
        notes.append(f"task {task.id}: its genie no longer has {', '.join(gone)}")
    return None


async def _after_end(rehearsal: Rehearsal) -> Difference | None:
    for callable in await rehearsal.store.read(unfinished.after_end, rehearsal.job_id):
        try:
            rehearsal.project.load_callable(callable)
        except NotImportable as error:
            return Difference(f"what it has registered to run after its end is gone: {error}")
    return None
