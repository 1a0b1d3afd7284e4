"""The scan: whether a request carries a task's metadata values, in which form and from where.

Lampwork itself puts no metadata into a request; but instructions, files or a skill's result may
hold the same value. What is plain is recorded as it is, what is sealed stops the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from lampwork.errors import MetadataLeaked
from lampwork.metadata.needles import Matcher
from lampwork.metadata.proof import Hit
from lampwork.metadata.seal import Seal
from lampwork.models.ask import Ask, Message
from lampwork.models.pieces import APART, Piece, pieces_of, standing_pieces
from lampwork.types import Json

__all__ = ["Scanner"]

_IN_A_THREAD = 100_000
"""Characters from which on a scan would hold the other jobs up, for a millisecond or more."""

_Hits = frozenset[Hit]
_NONE: _Hits = frozenset()


class Scanner:
    """The scan of one task's requests. What has been scanned is remembered, not scanned again."""

    def __init__(self, matcher: Matcher, seal: Seal, carrying: Iterable[Hit]) -> None:
        self._matcher = matcher
        self._seal = seal
        self._on_record = frozenset(carrying)
        """What the request before carried, as far as its record says."""
        self._messages: dict[int, Message] = {}
        """Those that were scanned, by identity; kept, so that it stays theirs alone."""
        self._carriers: dict[int, _Hits] = {}
        """What some of them carry."""
        self._standing: tuple[Json, _Hits] = (None, _NONE)
        self._sealed = {needle.key for needle in matcher.needles if needle.sealed}
        self.under_way: dict[str, Json] | None = None
        """The record of a request that has been sent, until its response is on record."""

    async def scan(self, ask: Ask) -> dict[str, Json] | None:
        """Scan a request before it is sent: its record, None if there is nothing to look for.

            parts   how many parts were scanned: those that the request adds
            hits    what it carries that the one before did not: `key`, `form` and `source`
            gone    what the one before carried, and it does not
            unread  parts that can't be read

        Raises MetadataLeaked if it carries a sealed value.
        """
        if not self._matcher.needles:
            return None
        new = [each for each in ask.messages if id(each) not in self._messages]
        standing = (ask.job_description, ask.skills, ask.endings)
        pieces = [pieces_of(each) for each in new]
        first = standing_pieces(ask) if standing != self._standing[0] else []
        found = await self._look([first, *pieces])
        if first:
            self._standing = (standing, found[0])
        for message, hits in zip(new, found[1:], strict=True):
            self._messages[id(message)] = message
            if hits:
                self._carriers[id(message)] = hits
        sent = set(map(id, ask.messages)) if self._carriers else ()
        carrying = self._standing[1].union(
            *(self._carriers[each] for each in self._carriers.keys() & sent)
        )
        self._refuse_sealed(carrying)
        return self._record([*first, *(piece for some in pieces for piece in some)], carrying)

    def _record(self, pieces: Sequence[Piece], carrying: _Hits) -> dict[str, Json]:
        record: dict[str, Json] = {"parts": len(pieces)}
        if new := carrying - self._on_record:
            record["hits"] = [asdict(hit) for hit in sorted(new)]
        if gone := self._on_record - carrying:
            record["gone"] = [asdict(hit) for hit in sorted(gone)]
        if unread := [piece.source for piece in pieces if piece.text is None]:
            record["unread"] = unread
        self._on_record = carrying
        return record

    async def _look(self, groups: Sequence[Sequence[Piece]]) -> list[_Hits]:
        """What each group of pieces carries."""
        together = APART.join(piece.text for some in groups for piece in some if piece.text)
        if len(together) >= _IN_A_THREAD:
            return await asyncio.to_thread(self._look_now, groups, together)
        return self._look_now(groups, together)

    def _look_now(self, groups: Sequence[Sequence[Piece]], together: str) -> list[_Hits]:
        if not self._matcher.look(together):  # nearly always, and once is faster than many times
            return [_NONE for _ in groups]
        return [self._hits(some) for some in groups]

    def _hits(self, pieces: Sequence[Piece]) -> _Hits:
        return frozenset(
            Hit(found.needle.key, found.form, piece.source)
            for piece in pieces
            if piece.text
            for found in self._matcher.look(piece.text)
        )

    def _refuse_sealed(self, carrying: _Hits) -> None:
        if leaking := sorted(hit for hit in carrying if hit.key in self._sealed):
            key, source = leaking[0].key, self._seal.hide(leaking[0].source)  # a file's name, say
            raise MetadataLeaked(
                f'The request would have carried the sealed metadata "{key}": it stands in '
                f"{source}. Nothing was sent. Take it out there, or pass it without a seal.",
                key=key,
                source=source,
            )
