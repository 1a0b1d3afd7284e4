"""The client of one server."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from lampwork.client.connection import Connection
from lampwork.client.definitions import DefinitionCalls
from lampwork.client.jobs import JobCalls
from lampwork.client.people import PeopleCalls

__all__ = ["Client"]


class Client(JobCalls, DefinitionCalls, PeopleCalls):
    """What can be done with a project through its server, and known of it.

    >>> async with Client("https://lampwork.example.org", key="lw_…") as client:
    ...     job = await client.start("order", {"item": "lamp"})
    ...     print(await client.result(job.job_id))

    Its methods raise the error that the server names (`JobNotFound`, `InputInvalid`, …);
    SignInNeeded and RoleLacking, if the key does not do; ServerUnreachable; and ServerRefused for
    what this version does not know.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        project: str | None = None,
        patience: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """A client of the server at an address, with an API key.

        Without `project` it is the only one that the key may use. While the server is away, what
        may be asked again is, for as many seconds as `patience` says. Raises InputInvalid.
        """
        super().__init__(Connection(url, key=key, patience=patience, transport=transport), project)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what is open to the server."""
        await self._connection.close()
