"""Verbs that only read: they make no folder, and need none to say that there is nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from lampwork.cli.options import Options
from lampwork.errors import ConversationNotFound, JobNotFound
from lampwork.insights import Insights
from lampwork.insights.genies import genie_views
from lampwork.place import Folder, Place
from lampwork.views import GenieView

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie

T = TypeVar("T")


async def reading(options: Options, read: Callable[[Insights], Awaitable[T]]) -> T | None:
    """What `read` returns; None where nothing was ever written.

    Raises BadParameter for a home that was named and does not exist, or is no folder to read.
    """
    place = place_to_read(options)
    if isinstance(place, Folder) and not (place.path / "lampwork.db").exists():
        return None
    async with Insights.opened(place) as insights:
        return await read(insights)


def place_to_read(options: Options) -> Place:
    """The place of the state; a folder need not exist. Raises BadParameter, see `reading`."""
    place = options.settings.place
    return Folder(home_to_read(options)) if isinstance(place, Folder) else place


def home_to_read(options: Options) -> Path:
    """The folder of the state, which need not exist. Raises BadParameter, see `reading`."""
    home = options.settings.home
    above = next(each for each in (home, *home.parents) if each.exists())
    if not above.is_dir():
        raise click.BadParameter(f"{above} is no folder.", param_hint=options.home_from)
    if above != home and options.home_is_named:
        raise click.BadParameter(f"there is no folder {home}", param_hint=options.home_from)
    if home.exists() and not os.access(home, os.R_OK | os.X_OK):
        raise click.BadParameter(f"{home} can't be read.", param_hint=options.home_from)
    return home


def of_job(options: Options, job_id: str, read: Callable[[Insights], Awaitable[T]]) -> T:
    """What `read` returns of a job. Raises JobNotFound, which says what was meant."""

    async def checked(insights: Insights) -> T:
        await insights.check_job(job_id)
        return await read(insights)

    found = asyncio.run(reading(options, checked))
    if found is None:
        raise JobNotFound(f"There is no job {job_id}: nothing is in {options.settings.place}.")
    return found


def of_conversation(
    options: Options, conversation_id: str, read: Callable[[Insights], Awaitable[T]]
) -> T:
    """What `read` returns of a conversation. Raises ConversationNotFound, as `of_job`."""

    async def checked(insights: Insights) -> T:
        await insights.check_conversation(conversation_id)
        return await read(insights)

    found = asyncio.run(reading(options, checked))
    if found is None:
        raise ConversationNotFound(
            f"There is no conversation {conversation_id}: nothing is in {options.settings.place}."
        )
    return found


async def views_of(options: Options, genies: Sequence[Genie]) -> tuple[GenieView, ...]:
    """Genies of a project; where nothing was ever written none is paused."""

    async def read(insights: Insights) -> tuple[GenieView, ...]:
        return await insights.genies(genies, options.settings.model)

    found = await reading(options, read)
    return genie_views(genies, {}, options.settings.model) if found is None else found
