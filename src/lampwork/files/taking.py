"""From what a user gave to what a task has: taken as it is now, read, judged, kept.

It happens where a task is assigned from outside, before its job is accepted, or in the job's call,
before the task is opened; never again on a replay.
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from lampwork.errors import FileRejected, OutboundError, OutboundTooLarge
from lampwork.files import kinds, names, reading
from lampwork.files.artifact import Artifact
from lampwork.files.file import Address, File, Given, Source, check
from lampwork.files.kinds import Kind
from lampwork.files.path import content_of
from lampwork.files.reads import Broken, over
from lampwork.files.snapshot import Snapshot
from lampwork.outbound.hosts import AllowedHosts, shown
from lampwork.settings import ReadingCaps
from lampwork.store import blobs
from lampwork.store.tasks import artifacts, files

if TYPE_CHECKING:
    from lampwork.models.ask import LanguageModel
    from lampwork.store.store import Store

__all__ = ["take"]

_AT_ONCE = 16
"""Files whose content is in memory at once, on their way to the database."""

_rooms: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
    weakref.WeakKeyDictionary()
)
"""By event loop: that of the jobs, and those of who assigns from outside."""


async def take(
    store: Store,
    given: Sequence[Given | Source],
    *,
    caps: ReadingCaps,
    project: str,
    hosts: AllowedHosts,
    model: LanguageModel,
    job_id: str | None,
) -> tuple[Snapshot, ...]:
    """The files as they are now. The job keeps them; without one, who keeps them must do so soon.

    Raises TooManyFiles, FileRejected, ArtifactNotFound: of several the first in their order.
    """
    keeper = _Keeper(store, caps, project, hosts, job_id)
    room = _rooms.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))

    async def one(source: Source) -> Snapshot:
        async with room:
            return await _take(keeper, source)

    taken = await asyncio.gather(*map(one, check(given)), return_exceptions=True)
    for each in taken:
        if isinstance(each, BaseException):
            raise each
    snapshots = tuple(cast(list[Snapshot], taken))
    _check_sight(snapshots, model)
    return snapshots


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Where files go, under which caps they are read, and whose they are."""

    store: Store
    caps: ReadingCaps
    project: str
    hosts: AllowedHosts
    """From which files may be given by address."""
    job_id: str | None


async def _take(keeper: _Keeper, source: Source) -> Snapshot:
    if isinstance(source, Snapshot):
        return source
    declared = None if isinstance(source, Path | Address) else source.media_type
    try:
        content = await _content(keeper, source)
        digest = await asyncio.to_thread(blobs.digest_of, content)
        kind, text, notes = await _read(keeper, digest, content)
        problem = kinds.lie(source.name, declared, kind)
        if problem is not None:
            raise Broken(problem)
    except Broken as broken:
        raise _rejected(source, broken) from None
    media_type = kinds.media_type(source.name, declared, kind)
    name = names.plain(source.name)
    return Snapshot(name, media_type, digest, len(content), text, notes)


async def _content(keeper: _Keeper, source: Path | File | Artifact | Address) -> bytes:
    caps = keeper.caps
    match source:
        case Path():
            content = await asyncio.to_thread(content_of, source, caps)
        case File():
            content = source.content
        case Address():
            content = await _of_address(source, keeper)
        case Artifact():
            content = await keeper.store.read(artifacts.content, keeper.project, source.digest)
    if not content:
        raise Broken("it is empty")
    if len(content) > caps.file_bytes:
        raise over("file_bytes", caps, f"it has {len(content):,} bytes")
    return content


async def _of_address(source: Address, keeper: _Keeper) -> bytes:
    parts = urlsplit(source.url)
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    if not keeper.hosts.gives_files(host, port):
        raise Broken(
            f'the project does not allow files from {host}: Project(allow_hosts=["{host}"])'
        )
    import httpx  # 0.1 s, with what follows, for those alone who fetch something

    from lampwork.outbound.http import fetch

    caps = keeper.caps
    try:
        return await fetch(source.url, keeper.hosts, largest=caps.file_bytes, seconds=caps.seconds)
    except OutboundTooLarge:
        raise over("file_bytes", caps, "it has more") from None
    except OutboundError as error:
        raise Broken(f"it can't be fetched: {error.message}") from error
    except httpx.HTTPStatusError as error:
        answered = f"{error.response.status_code} {error.response.reason_phrase}"
        raise Broken(f"it can't be fetched: {answered} is answered") from error
    except httpx.HTTPError as error:
        raise Broken(f"it can't be fetched: {error or type(error).__name__}") from error


async def _read(
    keeper: _Keeper, digest: str, content: bytes
) -> tuple[Kind, str | None, tuple[str, ...]]:
    """The kind of a file, the digest of its text, and notes; from an earlier reading if any."""
    store, reader, owner = keeper.store, _reader(keeper.caps), keeper.job_id
    found = await store.write(files.put, digest, content, reader, owner)
    if found is not None:
        return found.kind, found.text, tuple(found.notes)
    read = await reading.read(content, keeper.caps)
    text = await store.write(
        files.keep_reading,
        digest,
        reader,
        owner,
        kind=read.kind,
        text=None if read.text is None else read.text.encode(),
        notes=list(read.notes),
    )
    return read.kind, text, read.notes


def _reader(caps: ReadingCaps) -> str:
    """What a reading depends on beside the content."""
    return f"{reading.VERSION} {hashlib.sha256(repr(caps).encode()).hexdigest()[:16]}"


def _check_sight(snapshots: Sequence[Snapshot], model: LanguageModel) -> None:
    for each in snapshots:
        if each.text is None and not model.sees:
            raise FileRejected(
                f'File "{each.name}" is rejected: it is an image, and {model.name} does not take '
                "images. Give the genie a model that does, or say in text what the image shows.",
                file=each.name,
                cap=None,
            )


def _rejected(source: Path | File | Artifact | Address, broken: Broken) -> FileRejected:
    match source:
        case Path():
            name = str(source)
        case Address():
            name = shown(source.url)
        case _:
            name = source.name
    return broken.rejecting(name, file=source.name)
