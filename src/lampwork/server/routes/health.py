"""Whether the server is there, and whether it can take work."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from lampwork.errors import StoreUnavailable
from lampwork.server.requests import ExactRoute
from lampwork.server.serving import Here

router = APIRouter(route_class=ExactRoute, tags=["server"])


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def is_alive() -> Health:
    """Whether the process answers; it asks nothing else."""
    return Health()


@router.get("/readyz")
async def is_ready(here: Here) -> Health:
    """Whether it takes work: the database answers, and it does not close."""
    if here.draining:
        raise StoreUnavailable("The server is closing. Ask another one, or again in a moment.")
    await here.insights.require_database()
    return Health()
