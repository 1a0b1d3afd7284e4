"""A list of the API: its first page, or all that is on its pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from lampwork.views import Page

__all__ = ["Listing"]

T = TypeVar("T")


class Listing(Generic[T]):
    """What there is: `await` gives a page of it, `async for` goes through all, page by page.

    >>> page = await client.jobs(status="failed", limit=10)
    >>> async for job in client.jobs(status="failed"): ...
    """

    def __init__(
        self, fetch: Callable[[str | None], Awaitable[Page[T]]], after: str | None
    ) -> None:
        self._fetch = fetch
        self._after = after

    def __await__(self) -> Generator[Any, Any, Page[T]]:
        return self._fetch(self._after).__await__()

    async def __aiter__(self) -> AsyncGenerator[T]:
        after = self._after
        while True:
            page = await self._fetch(after)
            for each in page.items:
                yield each
            if page.next is None:
                return
            after = page.next
