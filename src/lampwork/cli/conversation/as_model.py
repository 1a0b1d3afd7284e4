"""`lampwork conversation ID --as-model`: what the model was sent, request by request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from lampwork.cli import output
from lampwork.types import Json
from lampwork.views import ConversationDetails, DescribedView, MessageView, RequestView


def lines(found: ConversationDetails, requests: Sequence[RequestView]) -> Iterator[str]:
    """All requests, each with what is new in it; and which metadata values they held."""
    yield f"Conversation {found.conversation_id}, as the model saw it"
    before: RequestView | None = None
    for number, each in enumerate(requests, 1):
        yield from _request(number, each, before)
        before = each
    if not requests:
        yield "  No model was asked."
    for task in found.task_records:
        yield f"\nProof of {task.task_id}: {task.proof_in_words}"
    keys = list(dict.fromkeys(fact.key for fact in found.metadata))
    if keys:
        yield f"  Looked for in each request: the values of {', '.join(keys)}"


def _request(number: int, each: RequestView, before: RequestView | None) -> Iterator[str]:
    model = each.model or "a model that gave no reply"
    again = f", sent {each.sent} times" if each.sent > 1 else ""
    yield f"\n=== Request {number}, to {model}{again}  {each.task}  {output.local(each.at)}"
    yield from _standing(each, before)
    already = _shared(each, before)
    if already:
        yield f"\n  ({output.counted(already, 'message')} as in request {number - 1}, then)"
    for message in each.messages[already:]:
        yield from _message(message)
    yield f"\n  metadata: {_carried(each)}"


def _standing(each: RequestView, before: RequestView | None) -> Iterator[str]:
    if before is not None and _held(before) == _held(each):
        yield f"  job description, {output.counted(len(each.skills or ()), 'skill')}: as before"
        return
    if each.skills is None or each.endings is None:
        yield "  The job description and the skills that it held are not on record."
        return
    yield "\n  [job description]"
    yield output.indented(each.job_description or "(none)", "  ")
    for described in (*each.skills, *each.endings):
        yield from _described(described)


def _held(each: RequestView) -> object:
    return each.job_description, each.skills, each.endings


def _described(described: DescribedView) -> Iterator[str]:
    yield f"\n  [may call {described.name}]"
    if described.description:
        yield output.indented(described.description, "  ")
    yield f"  {_compact(described.parameters)}"


def _shared(each: RequestView, before: RequestView | None) -> int:
    """How many messages are those of the request before, if all of that one's are there still."""
    if before is None or each.messages[: len(before.messages)] != before.messages:
        return 0
    return len(before.messages)


def _message(message: MessageView) -> Iterator[str]:
    who = {"user": "user", "genie": "assistant", "skill": f"result of {message.skill}"}[message.by]
    yield f"\n  [{who}{', which failed' if message.failed else ''}]"
    if message.text:
        yield output.indented(message.text, "  ")
    yield from (f"  calls {call.skill} {_arguments(call.arguments)}" for call in message.calls)
    yield from (f"  with the image {name}" for name in message.images)


def _arguments(given: Json) -> str:
    return given if isinstance(given, str) else _compact(given)


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _carried(each: RequestView) -> str:
    if each.carried is None:
        return "none to look for"
    if not each.carried:
        return "none of it is in this request"
    found = ", ".join(f"{hit.key} ({hit.form}) from {hit.source}" for hit in each.carried)
    return f"it holds {found}"
