"""Verbs that only read: they make no folder, and need none to say that there is nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import click

from lampwork.cli.options import Options, me
from lampwork.cli.source import ProjectSource, Source
from lampwork.errors import ConversationNotFound, JobNotFound
from lampwork.place import Folder, Place

if TYPE_CHECKING:
    from lampwork.insights import Insights
    from lampwork.project import Project

T = TypeVar("T")


async def reading(options: Options, read: Callable[[Insights], Awaitable[T]]) -> T | None:
    """What `read` returns; None where nothing was ever written.

    Raises BadParameter for a home that was named and does not exist, or is no folder to read.
    """
    from lampwork.insights import Insights

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


async def from_source(
    options: Options,
    read: Callable[[Source], Awaitable[T]],
    *,
    by: str | None = None,
    code: Project | None = None,
) -> T | None:
    """As `reading`, of a server too: what `read` returns, who acts being `by`, or oneself.

    Raises UsageError for a `by` at a server, where it is who has the key.
    """
    if (url := options.at_server) is not None:
        if by is not None:
            raise click.UsageError("At a server it is who has the key. Leave --by out.")
        from lampwork.cli.at_server import client_of  # the HTTP client takes its time

        async with client_of(options, url) as server:
            return await read(server)

    from lampwork.cli.at_place import AtPlace

    async def at_place(insights: Insights) -> T:
        return await read(AtPlace(insights.store, by=by or me(), code=code))

    return await reading(options, at_place)


def of_job(
    options: Options,
    job_id: str,
    read: Callable[[Source], Awaitable[T]],
    *,
    by: str | None = None,
    code: Project | None = None,
) -> T:
    """What `read` returns of a job. Raises JobNotFound, which says what was meant."""

    async def checked(source: Source) -> T:
        await source.check_job(job_id)
        return await read(source)

    found = asyncio.run(from_source(options, checked, by=by, code=code))
    if found is None:
        raise JobNotFound(f"There is no job {job_id}: nothing is in {options.where}.")
    return found


def of_conversation(
    options: Options, conversation_id: str, read: Callable[[Source], Awaitable[T]]
) -> T:
    """What `read` returns of a conversation. Raises ConversationNotFound, as `of_job`."""

    async def checked(source: Source) -> T:
        await source.check_conversation(conversation_id)
        return await read(source)

    found = asyncio.run(from_source(options, checked))
    if found is None:
        raise ConversationNotFound(
            f"There is no conversation {conversation_id}: nothing is in {options.where}."
        )
    return found


async def from_project(
    options: Options,
    word: str | None,
    read: Callable[[ProjectSource], Awaitable[T]],
    *,
    by: str | None = None,
    writes: bool = False,
) -> T:
    """What `read` returns of a project: of the code that a word names, or of a server's.

    Where nothing was ever written it reads from the code alone, unless it writes. Raises UsageError
    for a project, or a `by`, at a server; what `load` raises.
    """
    if (url := options.at_server) is not None:
        if word is not None or by is not None:
            given = "--by" if by is not None else f'"{word}"'
            raise click.UsageError(
                f"A server has its own project, and knows who has the key. Leave {given} out."
            )
        from lampwork.cli.at_server import client_of  # the HTTP client takes its time

        async with client_of(options, url) as server:
            return await read(server)

    from lampwork.cli.at_place import NothingWritten, ProjectAtPlace
    from lampwork.cli.project import load
    from lampwork.insights import Insights

    code = load(word)
    place = options.settings.place if writes else place_to_read(options)
    model = options.settings.model
    if not writes and isinstance(place, Folder) and not (place.path / "lampwork.db").exists():
        return await read(cast(ProjectSource, NothingWritten(code, model)))
    async with Insights.opened(place) as insights:
        return await read(ProjectAtPlace(code, insights, model, by=by or me()))
