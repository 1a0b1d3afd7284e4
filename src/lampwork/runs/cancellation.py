"""The end of cancelled jobs: no new work, a grace for what executes, and a word on what is open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampwork import values
from lampwork.errors import LampworkError
from lampwork.store.jobs import cancelled, endings
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.runs.run import Run
    from lampwork.worker import Worker

__all__ = ["finish_cancelled", "settle", "unknown_in_words"]


async def finish_cancelled(worker: Worker, job_id: str) -> None:
    """End a job that is meant to be cancelled, after those below it that are as well."""
    async with worker.lock(job_id):
        if not await worker.store.read(cancelled.is_to_cancel, job_id, worker.share):
            return
        run = worker.runs.get(job_id)
        if run is not None:
            run.end("cancelled")
        for each in worker.proving:
            if each.job_id == job_id:
                each.end("cancelled")
        below = await worker.store.read(cancelled.right_below, job_id)
        ending = [asyncio.create_task(finish_cancelled(worker, each)) for each in below]
        if await worker.store.read(cancelled.is_spread, job_id, worker.share):
            await asyncio.gather(*ending)
            return  # whoever ends the last one below tells
        executing = await settle(run, worker.settings.grace)
        await asyncio.gather(*ending)
        await worker.engine.cancel(job_id)
        effects = await worker.store.read(cancelled.effects, job_id)
        error = LampworkError(
            f"Job {job_id} was cancelled{_while(executing)}{unknown_in_words(effects)}",
            unresolved=executing,
            effects=effects,
        )
        envelope = values.write(values.Failure(error.to_record()))
        ended = await worker.store.write(endings.finish, job_id, "cancelled", envelope, None)
    worker.execution.after_end(job_id, ended)


async def settle(run: Run | None, grace: float) -> list[str]:
    """Wait until an ended run has left its code; names what had not ended after the grace."""
    if run is None or run.main is None or run.main.done():
        return []
    await asyncio.wait({run.main}, timeout=grace)
    if run.main.done():
        return []
    executing = run.executing()
    run.main.cancel()
    await asyncio.wait({run.main}, timeout=1.0)
    return executing


def _while(executing: Sequence[str]) -> str:
    return f" while {', '.join(executing)} had not ended" if executing else ""


def unknown_in_words(effects: Sequence[dict[str, Json]]) -> str:
    """The end of an error about effects, each with its key, that were left as nobody knows them.

    What a person has said of one, and nothing has taken up, is not lost.
    """
    unknown = [_named(each) for each in effects if "said" not in each]
    text = f". Nobody knows whether this happened: {', '.join(unknown)}" if unknown else ""
    for each in effects:
        if "said" in each:
            said = each["said"]
            text += f". Of {_named(each)} {said['by']} has said: {_in_words(said)}"
    return text


def _in_words(said: dict[str, Json]) -> str:
    """A person's word on an effect: `did not happen, says the bank`."""
    verdict = str(said["resolution"]).replace("_", " ")
    return ", ".join(filter(None, [verdict, said["reason"]]))


def _named(effect: dict[str, Json]) -> str:
    return f"{effect.get('skill') or effect['step']} ({effect['key']})"
