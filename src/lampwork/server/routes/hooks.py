"""What comes from outside to a project's triggers: deliveries to webhooks, calls of endpoints."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic_core import from_json, to_jsonable_python

from lampwork.errors import InputInvalid, NotFound
from lampwork.server.authority import May, address_of
from lampwork.server.lists import IdempotencyKey
from lampwork.server.serving import Here, ProjectName
from lampwork.triggers.endpoint import METHODS
from lampwork.types import Json

# Not described: each project has paths of its own, with what they take.
router = APIRouter(include_in_schema=False)


class Received(BaseModel):
    """A delivery whose job is on disk."""

    job_id: str
    is_new: bool


@router.post("/hooks/{project}/{path:path}", status_code=202)
async def receive(project: ProjectName, path: str, request: Request, here: Here) -> Received:
    """Take a delivery to a webhook; its signature is what lets it in."""
    _require_text(request)
    body = await request.body()
    firing = await here.door.receive(path, request.headers, body, address=address_of(request))
    return Received(job_id=firing.job_id, is_new=firing.is_new)


async def call(
    who: May.build,
    project: ProjectName,
    path: str,
    request: Request,
    here: Here,
    key: IdempotencyKey = None,
) -> Response:
    """Call an endpoint: what its job returned, or 202 and where the job is."""
    _require_text(request)
    firing = await here.door.call_endpoint(
        request.method,
        path,
        query=request.query_params,
        headers=request.headers,
        body=await _body(request),
        address=address_of(request),
        idempotency_key=key,
    )
    at = {"Location": f"/api/jobs/{firing.job_id}"}
    try:
        # The job goes on whatever becomes of who waits here.
        async with asyncio.timeout(firing.wait):
            returned = await here.door.result(firing.job_id)
    except TimeoutError:
        view = await here.insights.view(firing.job_id)
        return JSONResponse(to_jsonable_python(view), status_code=202, headers=at)
    return JSONResponse(returned, headers=at)


for _method in METHODS:
    router.add_api_route(
        "/run/{project}/{path:path}",
        call,
        methods=[_method],
        name=f"call_{_method.lower()}",
        response_model=None,
    )


async def _body(request: Request) -> Json:
    """The JSON of a body; None without one. Raises InputInvalid."""
    content = await request.body()
    if not content:
        return None
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise InputInvalid(f"The body is no JSON: {error}.", problems=[f"body: {error}"]) from error


def _require_text(request: Request) -> None:
    """Raise NotFound for an address that names nothing: none has a NUL character."""
    if "\0" in request.url.path or any("\0" in each for each in request.query_params.values()):
        raise NotFound("There is nothing whose name has a NUL character.")
