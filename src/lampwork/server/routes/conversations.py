"""Conversations: what genies were told, said, called and learned, and the files that came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from lampwork.server.authority import May
from lampwork.server.contents import content, content_route
from lampwork.server.lists import EXAMINED, KEY_OR_PAIR, Limit, whole
from lampwork.server.requests import ExactRoute, Moment
from lampwork.server.serving import ConversationId, Here
from lampwork.types import Json, TaskStatus, WaitKind
from lampwork.views import (
    ConversationDetails,
    ConversationView,
    NewParts,
    Page,
    RequestView,
    abridged,
)

router = APIRouter(route_class=ExactRoute, tags=["conversations"], prefix="/api/conversations")


class _Wanted(BaseModel):
    genie: str | None = Field(None, description="That has worked in it.")
    recipe: str | None = Field(None, description="Whose jobs have assigned a task in it.")
    status: TaskStatus | None = Field(None, description="Of its task that is at work, or last was.")
    waiting_on: WaitKind | None = Field(None, description="The kind of what a job of it waits for.")
    metadata: str | None = Field(
        None,
        description="A key that a task in it has, or `key=value`.",
        pattern=KEY_OR_PAIR,
    )
    text: str | None = Field(
        None,
        description="That its id begins with, or the instructions of a task in it have.",
        max_length=1000,
    )
    since: Moment | None = Field(None, description="Begun then or later.")
    until: Moment | None = Field(None, description="Begun before that.")
    after: str | None = Field(None, min_length=1, description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=1000)


@router.get("")
async def list_conversations(
    who: May.see, here: Here, wanted: Annotated[_Wanted, Query()]
) -> Page[ConversationView]:
    """Those conversations that are wanted, the newest first.

    A page may have less than `limit`, even nothing, and a `next`: then go on with that.
    """
    return await here.insights.conversations(examined=EXAMINED, **wanted.model_dump())


@router.get("/{conversation_id}")
async def get_conversation(
    who: May.see, conversation: ConversationId, here: Here
) -> ConversationDetails:
    """A conversation in full, with the facts and the proof of its metadata."""
    return await here.insights.conversation(conversation)


@router.get("/{conversation_id}/transcript")
async def get_new_parts(
    who: May.see,
    conversation: ConversationId,
    here: Here,
    after: Annotated[
        int, Query(ge=0, le=2**31 - 1, description="The last entry that is known, or 0.")
    ] = 0,
    limit: Limit = 500,
) -> NewParts:
    """What has come to the transcript after an entry."""
    return await here.insights.transcript(conversation, after=after, limit=limit)


@router.get("/{conversation_id}/requests")
async def list_requests(
    who: May.see, conversation: ConversationId, here: Here
) -> Page[RequestView]:
    """What the model was sent, request by request, each without what the one before it held."""
    return whole(tuple(abridged(await here.insights.requests(conversation))))


@router.get("/{conversation_id}/recording")
async def get_recording(who: May.see, conversation: ConversationId, here: Here) -> dict[str, Json]:
    """A conversation for tests to play again, without the values of its metadata."""
    return await here.insights.recording(conversation)


@content_route(router, "/{conversation_id}/artifacts/{name}")
async def get_artifact(
    who: May.see, conversation: ConversationId, here: Here, name: str, request: Request
) -> Response:
    """The content of a file that its tasks have saved, the last one of that name; or a range."""
    file, found = await here.insights.artifact(conversation, name)
    return await content(request, file, found)
