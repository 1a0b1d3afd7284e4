"""Edits of the files that make up a project, seen when they are saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from watchfiles import (
    awatch,  # pyright: ignore[reportUnknownVariableType]
)

_TOGETHER = 100
"""Milliseconds without another edit after which those of one go are taken together."""

_LOOK_EVERY = 1000
"""Milliseconds after which the watch says that it stands, though nothing was edited."""


class Edits:
    """Which files were edited since they were last taken."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()
        self._files: set[Path] = set()
        self._watching: asyncio.Task[None] | None = None

    def watch(
        self,
        folders: Iterable[Path],
        matters: Callable[[Path], bool],
        are_as_read: Callable[[], bool],
    ) -> None:
        """Watch those files in these folders that matter, from now on.

        `are_as_read` says whether an edit was missed before that.
        """
        if self._watching is not None:
            self._watching.cancel()
        there = [each for each in folders if each.is_dir()]
        self._watching = asyncio.create_task(self._watch(there, matters, are_as_read))

    def take(self) -> list[Path]:
        """The files that were edited."""
        taken = sorted(self._files)
        self._files.clear()
        self.seen.clear()
        return taken

    async def close(self) -> None:
        """Watch no more."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def _watch(
        self,
        folders: list[Path],
        matters: Callable[[Path], bool],
        are_as_read: Callable[[], bool],
    ) -> None:
        stands = False
        changes = awatch(
            *folders,
            watch_filter=lambda _change, path: matters(Path(path)),
            step=_TOGETHER,
            rust_timeout=_LOOK_EVERY,
            yield_on_timeout=True,
            recursive=False,
        )
        async for each in changes:
            self._files |= {Path(path) for _, path in each}
            missed = not stands and not await asyncio.to_thread(are_as_read)
            stands = True
            if each or missed:
                self.seen.set()
