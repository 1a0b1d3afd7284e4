"""Conversations: what genies were told, said, called and learned, and the files that came of it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from lampwork.server.authority import May
from lampwork.server.contents import DESCRIBED, content
from lampwork.server.lists import After, Limit
from lampwork.server.requests import ExactRoute
from lampwork.server.serving import ConversationId, Here
from lampwork.views import ConversationDetails, ConversationView, Page

router = APIRouter(route_class=ExactRoute, tags=["conversations"], prefix="/api/conversations")


@router.get("")
async def list_conversations(
    who: May.see,
    here: Here,
    genie: str | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[ConversationView]:
    """Conversations, the newest first."""
    return await here.insights.conversations(genie=genie, after=after, limit=limit)


@router.get("/{conversation_id}")
async def get_conversation(
    who: May.see, conversation: ConversationId, here: Here
) -> ConversationDetails:
    """A conversation in full, with the facts and the proof of its metadata."""
    return await here.insights.conversation(conversation)


@router.get("/{conversation_id}/artifacts/{name}", response_class=Response, responses=DESCRIBED)
async def get_artifact(
    who: May.see, conversation: ConversationId, here: Here, name: str, request: Request
) -> Response:
    """The content of a file that its tasks have saved, the last one of that name; or a range."""
    file, found = await here.insights.artifact(conversation, name)
    return content(request, file, found)
