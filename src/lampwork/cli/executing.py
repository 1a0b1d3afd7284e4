"""Which process executes what is waited for here: this one, as soon as no other does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from lampwork import lock
from lampwork.app import App
from lampwork.cli import output
from lampwork.errors import FolderInUse
from lampwork.place import Folder, Place

_LOOK_EVERY = 1.0
"""Seconds between two looks at whether another process executes. It must be found gone twice: a
worker that is only started anew comes first."""


@dataclass(slots=True)
class Executing:
    """The project that is open here, if this process executes."""

    place: Place
    opened: Callable[[], AbstractAsyncContextManager[App]]
    stack: AsyncExitStack
    """Closes the project."""
    app: App | None = None
    _gone_before: bool = False

    async def take(self) -> bool:
        """Execute here unless another process does; whether this one does."""
        if self.app is None:
            with contextlib.suppress(FolderInUse):
                self.app = await self.stack.enter_async_context(self.opened())
        return self.app is not None

    @asynccontextmanager
    async def taking_over(self) -> AsyncGenerator[None]:
        """Take over from a process that is gone, while the block waits for what it executed."""
        left = asyncio.Event()
        looking = asyncio.create_task(self._keep_looking(left))
        try:
            yield
        finally:
            left.set()
            await looking  # not cancelled: a project that is half open could not be closed

    async def _keep_looking(self, left: asyncio.Event) -> None:
        while self.app is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), _LOOK_EVERY)
            if left.is_set():
                return
            gone = isinstance(self.place, Folder) and lock.holder(self.place.path) is None
            if gone and self._gone_before and await self.take():
                output.warn("The process that executed here is gone: this one goes on.")
            self._gone_before = gone


def quieten() -> None:
    """Log no more than what is told nowhere else.

    The failure of a model or a playbook is told where the work ends, and is on record with its
    traceback.
    """
    logging.getLogger("lampwork").setLevel(logging.ERROR)
    logging.getLogger("lampwork.models").setLevel(logging.CRITICAL)
