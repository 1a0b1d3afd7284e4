"""The audit log: what is in it, and whether somebody has tampered with it.

Each entry bears a digest over the one before it (`store/people/audit.py`), so that one that was
edited, removed or moved breaks the chain. Whoever can write the database can also write the whole
chain anew: against that there is the anchor, a file elsewhere that says how far the log went and
with which digest.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lampwork.errors import InputInvalid
from lampwork.store.lists.newest import no_cursor
from lampwork.store.people import audit as rows
from lampwork.store.people.audit import BEFORE_ALL, Head
from lampwork.store.store import Store
from lampwork.views import Entry, Page, moment

__all__ = [
    "EMPTY",
    "Broken",
    "Verified",
    "newest",
    "read_anchor",
    "verify",
    "without_log",
    "write_anchor",
]

EMPTY = Head(0, BEFORE_ALL)
"""Of a log in which there is nothing."""

_PAGE = 1000

_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first entry at which the log is not what was written, and how."""

    number: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a look at the whole log has shown."""

    entries: int
    erased: int
    """Entries whose text was erased, as later entries say."""
    head: Head
    broken: Broken | None


async def newest(
    store: Store, *, project: str | None = None, after: str | None = None, limit: int = 50
) -> Page[Entry]:
    """Entries, the newest first; of one project, if it is named. Raises InputInvalid for an
    `after` that is no entry's number."""
    if after is not None and not _NUMBER.fullmatch(after):
        raise no_cursor(after)
    before = None if after is None else int(after)
    found = await store.read(rows.newest, project=project, before=before, limit=limit + 1)
    shown = tuple(map(_entry, found[:limit]))
    return Page(shown, str(shown[-1].number) if len(found) > limit else None)


def _entry(row: Any) -> Entry:
    """The entry of a row."""
    content: dict[str, Any] = {} if row.content is None else json.loads(row.content)
    return Entry(
        number=row.seq,
        at=moment(row.at),
        action=row.action,
        project=row.project,
        who=content.get("who"),
        address=content.get("address"),
        on=content.get("on"),
        details=content.get("details", {}),
    )


async def verify(store: Store, anchor: Head | None = None) -> Verified:
    """Look at every entry, and whether the log is the one that the anchor was taken of."""
    looking = _Looking(anchor)
    while True:
        page, head = await store.read(rows.page, after=looking.seq, limit=_PAGE)
        broken = await asyncio.to_thread(looking.look_at, page)
        if broken is not None:
            return looking.found(await _in_another_order(store, looking, broken))
        if len(page) < _PAGE:
            return looking.found(looking.end(head))


def without_log(anchor: Head | None) -> Verified:
    """The same where nothing was ever written."""
    looking = _Looking(anchor)
    return looking.found(looking.end(EMPTY))


class _Looking:
    """How far the log has been followed."""

    def __init__(self, anchor: Head | None) -> None:
        self.seq = 0
        self.digest = BEFORE_ALL
        self._anchor = anchor
        self._erased = 0
        self._untold: set[int] = set()
        """Entries without a text, of which no entry says so yet."""

    def look_at(self, page: Sequence[Any]) -> Broken | None:
        """Follow the chain over some entries, up to the first that is not in it."""
        for row in page:
            due = self.seq + 1
            if row.seq != due:
                gone = (
                    f"entry {due} is"
                    if row.seq == due + 1
                    else f"entries {due} to {row.seq - 1} are"
                )
                return Broken(number=due, how=f"{gone} missing: deleted")
            if row.content is not None and rows.digest_of(row.content) != row.content_digest:
                return Broken(number=due, how="its text was edited")
            if not self.is_next(row):
                return Broken(number=due, how=_EDITED)
            self.seq, self.digest = due, row.digest
            self._learn(row)
            if not self._agrees():
                how = "the log up to it is not the one of the anchor: it was written anew"
                return Broken(number=due, how=how)
        return None

    def _learn(self, row: Any) -> None:
        """Which entries are blank, and which are said to be."""
        if row.content is None:
            self._erased += 1
            self._untold.add(row.seq)
        elif row.action == rows.BLANKED:
            self._untold.difference_update(rows.blanked_by(row.content))

    def is_next(self, row: Any) -> bool:
        """Whether this entry was written after the last one that was followed."""
        what = row.at, row.project, row.action, row.content_digest
        return rows.link(self.digest, self.seq + 1, *what) == row.digest

    def _agrees(self) -> bool:
        """Whether the anchor says the same, if it was taken here."""
        anchor = self._anchor
        return anchor is None or anchor.seq != self.seq or anchor.digest == self.digest

    def end(self, head: Head) -> Broken | None:
        """Whether the log ends where it should."""
        for end, of in ((head, "the head"), (self._anchor, "the anchor")):
            if end is not None and end.seq > self.seq:
                first, last = self.seq + 1, end.seq
                gone = f"entry {first}" if first == last else f"entries {first} to {last}"
                how = f"{gone} of {of} are missing: the end was cut off, or a backup restored"
                return Broken(number=first, how=how)
        if head != Head(self.seq, self.digest):
            return Broken(number=self.seq, how="it is not the last one by the head of the log")
        if self._untold:
            how = "its text is gone, and no entry says that it was erased"
            return Broken(number=min(self._untold), how=how)
        return None

    def found(self, broken: Broken | None) -> Verified:
        """What there is to say."""
        head = Head(self.seq, self.digest)
        return Verified(entries=self.seq, erased=self._erased, head=head, broken=broken)


_EDITED = "it was edited, or is not the one that was written there"


async def _in_another_order(store: Store, looking: _Looking, broken: Broken) -> Broken:
    """The same, unless the entry that belongs there is to be found further on."""
    if broken.how != _EDITED:
        return broken
    after = looking.seq
    while True:
        page, _ = await store.read(rows.page, after=after, limit=_PAGE)
        for row in page:
            if looking.is_next(row):
                how = f"the entry that belongs there is number {row.seq} now: reordered"
                return Broken(number=broken.number, how=how)
        if len(page) < _PAGE:
            return broken
        after = page[-1].seq


def read_anchor(file: Path) -> Head | None:
    """What an anchor says; None if there is none yet. Raises InputInvalid."""
    try:
        said: Any = json.loads(file.read_text("utf-8"))
        return Head(int(said["seq"]), str(said["digest"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputInvalid(
            f"{file} can't be read as an anchor: {error}. Name the file that "
            "`lampwork verify --anchor` has written, or a new one.",
            problems=["anchor"],
        ) from error


def write_anchor(file: Path, head: Head) -> None:
    """Say how far the log goes; whole or not at all. Raises InputInvalid."""
    new = file.with_name(file.name + ".new")
    try:
        with new.open("w", encoding="utf-8") as writing:
            json.dump(asdict(head), writing)
            writing.flush()
            os.fsync(writing.fileno())
        new.replace(file)
    except OSError as error:
        raise InputInvalid(
            f"{file} can't be written: {error}. Name a file in a folder of yours.",
            problems=["anchor"],
        ) from error
