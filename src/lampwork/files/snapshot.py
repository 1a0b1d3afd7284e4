"""A file as a task has it: its facts, and where its content and its text are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lampwork.models.ask import Attached
from lampwork.store import blobs
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.store.store import Store

__all__ = ["Contents", "Snapshot", "attached", "load"]

Contents = Mapping[str, bytes]
"""Blobs by their digests."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a task's row and its first entry hold of a file; later changes of it mean nothing."""

    name: str
    media_type: str
    """As its content shows."""
    digest: str
    """SHA-256 of the content, under which it is in the blobs."""
    size: int
    """Bytes."""
    text: str | None
    """The digest of what was read from it, None of an image."""
    notes: tuple[str, ...] = ()
    """What to know of the text: a guessed encoding, pages without any."""

    @property
    def shown(self) -> str:
        """The digest of what a model is shown: the text, or the image itself."""
        return self.text or self.digest

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of all that is kept of it."""
        return (self.digest,) if self.text is None else (self.digest, self.text)

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Snapshot:
        """What `to_json` wrote."""
        given: dict[str, Any] = record | {"notes": tuple(record["notes"])}
        return cls(**given)


async def load(store: Store, told: Iterable[dict[str, Json]]) -> Contents:
    """What models are shown of the files that these `told` entries name. Mostly there are none."""
    wanted = {Snapshot.from_json(each).shown for body in told for each in body.get("files") or ()}
    return await store.read(blobs.get_all, sorted(wanted)) if wanted else {}


def attached(told: dict[str, Json], contents: Contents) -> tuple[Attached, ...]:
    """The files of a `told` entry with what was loaded of them."""
    return tuple(_attached(Snapshot.from_json(each), contents) for each in told.get("files") or ())


def _attached(file: Snapshot, contents: Contents) -> Attached:
    shown = contents[file.shown]
    return Attached(
        name=file.name,
        media_type=file.media_type,
        digest=file.digest,
        text=None if file.text is None else shown.decode(),
        content=shown if file.text is None else None,
        notes=file.notes,
    )
