"""Files that are uploaded, for tasks and jobs to be given them by their digest."""

from __future__ import annotations

import tempfile
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from lampwork.errors import InputInvalid
from lampwork.files.artifact import LARGEST
from lampwork.server.authority import May
from lampwork.server.contents import content, content_route
from lampwork.server.requests import Digest, ExactRoute
from lampwork.server.serving import Here, ProjectName
from lampwork.views import Uploaded

_IN_MEMORY = 1024 * 1024
"""Bytes of a file that is on its way; what is more goes to the disk until it is all there."""


class FileRoute(ExactRoute):
    """A route that takes a file."""

    largest = LARGEST
    instead = "Store it elsewhere, and give a file that names it."


router = APIRouter(route_class=FileRoute, tags=["files"], prefix="/api/projects/{project}/files")

_FORM = "application/x-www-form-urlencoded"
"""What curl says of every body."""

_PARTS = "multipart/form-data"
"""What a browser's form sends, and `curl -F`: the content is somewhere in it."""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The content, as it is.",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "minLength": 1}
            }
        },
    }
}


@router.post("", status_code=201, openapi_extra=_BODY)
async def upload_file(
    who: May.build,
    project: ProjectName,
    here: Here,
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=200)],
) -> Uploaded:
    """Keep a file, whose content is the body."""
    media_type = _media_type(request)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
        async for part in request.stream():
            body.write(part)
        body.seek(0)
        file = await here.door.upload(name, body.read(), media_type)
    return Uploaded(**file.to_json())


@content_route(router, "/{digest}")
async def get_stored_file(
    who: May.see, project: ProjectName, here: Here, digest: Digest, request: Request
) -> Response:
    """The content of a file of the project, as what its recipes return names it; or a range."""
    return await content(request, *await here.insights.stored_file(project.name, digest))


def _media_type(request: Request) -> str:
    """That of the content. Raises InputInvalid if the body is a form with the content in it."""
    said = request.headers.get("content-type", _FORM)
    if said.lower().startswith(_PARTS):
        raise InputInvalid(
            "The body is a form, with a file in it. Send the content itself as the body, as "
            "`curl --data-binary @FILE` does, in place of `-F`. Nothing was kept.",
            problems=["body: it is a form, not the content of a file"],
        )
    return "application/octet-stream" if said == _FORM else said
