"""What comes from outside to a project's triggers: deliveries to webhooks, calls of endpoints."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from lampwork.acting import counted_as
from lampwork.errors import JobFailed, TooManyDeliveries
from lampwork.server.authority import May, address_of
from lampwork.server.lists import IdempotencyKey
from lampwork.server.problems import problem
from lampwork.server.requests import AnyQueryRoute, read_json
from lampwork.server.serving import Here, ProjectName
from lampwork.triggers.endpoint import METHODS
from lampwork.views import to_json

# Not described: each project has paths of its own, with what they take.
router = APIRouter(route_class=AnyQueryRoute, include_in_schema=False)


class Received(BaseModel):
    """A delivery whose job is on disk."""

    job_id: str
    is_new: bool


@router.post("/hooks/{project}/{path:path}", status_code=202)
async def receive(project: ProjectName, path: str, request: Request, here: Here) -> Received:
    """Take a delivery to a webhook; its signature is what lets it in."""
    announced = request.headers.get("content-length")
    size = None if announced is None else int(announced)
    here.door.expect(path, address=address_of(request), size=size)
    where = counted_as(address_of(request))
    refusal = TooManyDeliveries(
        f"{here.deliveries.most} deliveries from {where} are on their way. Send more when they "
        "are there.",
        retry_after=1.0,
    )
    with here.deliveries.one_more(where, refusal):
        body = await request.body()
    firing = await here.door.receive(path, request.headers, body, address=address_of(request))
    return Received(job_id=firing.job_id, is_new=firing.is_new)


async def call(
    who: May.build,
    project: ProjectName,
    request: Request,
    here: Here,
    key: IdempotencyKey = None,
) -> Response:
    """Call an endpoint: what its job returned, or 202 and where the job is."""
    content = await request.body()
    firing = await here.door.call_endpoint(
        request.method,
        _path_of_endpoint(request),
        query=request.query_params,
        headers=request.headers,
        body=read_json(content) if content else None,
        address=address_of(request),
        idempotency_key=key,
    )
    job = f"/api/jobs/{firing.job_id}"
    at = {"Location": job, "Link": f'<{job}/summary>; rel="status"'}  # RFC 8631
    try:
        # The job goes on whatever becomes of who waits here.
        async with asyncio.timeout(firing.wait):
            returned = await here.door.result(firing.job_id)
    except JobFailed as error:
        return problem(error, at)
    except TimeoutError:
        view = await here.insights.view(firing.job_id)
        return JSONResponse(to_json(view), status_code=202, headers=at)
    return JSONResponse(returned, headers=at)


def _path_of_endpoint(request: Request) -> str:
    """What follows the project, as it was sent: `%2F` is of a parameter, `/` is not."""
    return request.scope["raw_path"].decode("ascii").split("/", 3)[3]


for _method in METHODS:
    router.add_api_route(
        "/run/{project}/{path:path}",
        call,
        methods=[_method],
        name=f"call_{_method.lower()}",
        response_model=None,
    )
