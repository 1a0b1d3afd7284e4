"""What all requests of the client share: their shapes, and the project that they are about."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from typing_extensions import TypeForm

from lampwork.client.connection import Connection, read
from lampwork.client.listing import Listing
from lampwork.errors import InputInvalid
from lampwork.views import Page, ProjectView

__all__ = ["Asking", "new_key", "segment"]

T = TypeVar("T")


def segment(given: object) -> str:
    """A name or an id as one part of a path."""
    return quote(str(given), safe="")


def new_key() -> str:
    """An Idempotency-Key, so that a POST may be sent again: nobody knows whether it got through."""
    return secrets.token_hex(16)


class Asking:
    """Requests to a server, about one of its projects."""

    def __init__(self, connection: Connection, project: str | None) -> None:
        self._connection = connection
        self._project = project

    async def project(self) -> str:
        """The project that is named, or the only one that the key may use. Raises InputInvalid."""
        if self._project is None:
            there = [each.project for each in (await self.projects()).items]
            if len(there) != 1:
                raise InputInvalid(
                    f"Say which project: {', '.join(there) or 'there is none'}.",
                    problems=["project"],
                )
            [self._project] = there
        return self._project

    async def projects(self) -> Page[ProjectView]:
        """The projects that the key may use, with its role in each."""
        return await self._get(Page[ProjectView], "/api/projects")

    async def _at(self, *names: str) -> str:
        """An address below that of the project."""
        return "/".join(["/api/projects", segment(await self.project()), *map(segment, names)])

    async def _get(self, as_: TypeForm[T], path: str, query: Mapping[str, Any] | None = None) -> T:
        return read(await self._connection.ask("GET", path, query=query), as_)

    def _list(
        self, as_: TypeForm[Page[T]], path: str, after: str | None, **query: Any
    ) -> Listing[T]:
        async def fetch(after: str | None) -> Page[T]:
            return await self._get(as_, path, {**query, "after": after})

        return Listing(fetch, after)

    async def _post(
        self, as_: TypeForm[T], path: str, body: Any = None, key: str | None = None
    ) -> T:
        return read(await self._connection.ask("POST", path, body=body, key=key), as_)
