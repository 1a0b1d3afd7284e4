"""What lists take and give, and what is answered where work was started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Header, Query, Response

from lampwork.server.serving import Here
from lampwork.views import JobView, Page

__all__ = ["EXAMINED", "KEY_OR_PAIR", "After", "IdempotencyKey", "Limit", "accepted", "whole"]

T = TypeVar("T")

KEY_OR_PAIR = "^[A-Za-z_][A-Za-z0-9_]*(=[^\n\r]*)?$"
"""A key of a task's metadata, or `key=value`."""

EXAMINED = 2000
"""Jobs, or conversations, that are looked at for a page, where no index leads to what is wanted."""

After = Annotated[str | None, Query(description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key within 24 hours leads to the same job.",
    ),
]


def whole(items: Sequence[T]) -> Page[T]:
    """A list that is never so long that it would have pages."""
    return Page(tuple(items), None)


async def accepted(here: Here, job_id: str, response: Response) -> JobView:
    """A job that is on disk, and where to look at it."""
    response.headers["Location"] = f"/api/jobs/{job_id}"
    return await here.insights.view(job_id)
