"""A conversation as the model saw it: each request as it was sent, put together from the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lampwork.files.snapshot import Snapshot
from lampwork.models.ask import Message, Returned, Said, Told
from lampwork.store import blobs
from lampwork.store.lists import queries
from lampwork.store.tasks import briefings
from lampwork.store.tasks.conversations import model_of
from lampwork.tasks.briefing import Briefing
from lampwork.tasks.history import from_earlier
from lampwork.tasks.summarise import in_words
from lampwork.tasks.transcript import Transcript
from lampwork.types import Json
from lampwork.views import AskedCall, DescribedView, MessageView, RequestView, moment

if TYPE_CHECKING:
    import sqlalchemy as sa


def requests_of(connection: sa.Connection, conversation_id: str) -> tuple[RequestView, ...]:
    """The requests of all tasks of a conversation. Raises ConversationNotFound."""
    queries.conversation(connection, conversation_id)
    rows = queries.entries_of(connection, conversation_id)
    told = [row.body for row in rows if row.kind == "told"]
    files = {Snapshot.from_json(each).shown for body in told for each in body.get("files") or ()}
    contents = blobs.get_all(connection, sorted(files))
    named = {row.body["briefing"] for row in rows if row.body.get("briefing")}
    found = briefings.some(connection, named)
    known = {digest: Briefing.from_json(each) for digest, each in found.items()}
    views = [
        view
        for task in queries.tasks_in(connection, [conversation_id])
        for view in _Task(task, known, contents).requests(rows)
    ]
    return tuple(sorted(views, key=lambda view: view.seq))


@dataclass(slots=True)
class _Task:
    row: queries.Row
    briefings: dict[str, Briefing]
    contents: dict[str, bytes]
    shown: dict[int, tuple[Message, MessageView]] = field(
        default_factory=dict[int, tuple[Message, MessageView]]
    )
    """By the identity of the message, which is kept, so that it stays its own."""

    def requests(self, rows: Sequence[queries.Row]) -> Iterator[RequestView]:
        so_far = Transcript(self.row.id, contents=self.contents)
        for row in rows:
            mine = row.task_id == self.row.id
            if not mine and row.seq > self.row.history_until:
                continue
            before = tuple(so_far.messages)
            if mine and row.kind == "summarised":
                assert so_far.summarise_in is not None
                before = (*so_far.history, from_earlier(in_words(so_far.summarise_in)))
            summing = mine and (row.kind == "summarised" or so_far.summarise_in is not None)
            so_far.read([row])
            asked = row.kind in ("said", "summarised", "unanswered") or "scan" in row.body
            if mine and asked and _sent(row):
                yield self._request(row, so_far, before, summing=summing)

    def _request(
        self, row: Any, so_far: Transcript, messages: tuple[Message, ...], *, summing: bool
    ) -> RequestView:
        body: dict[str, Json] = row.body
        briefing = self.briefings.get(so_far.briefing or "")
        skills = endings = None
        if briefing is not None:
            called = () if summing else (briefing.skills, briefing.endings)
            skills, endings = (tuple(map(_described, each)) for each in called or ((), ()))
        return RequestView(
            task=row.task_id,
            seq=row.seq,
            at=moment(row.at),
            model=model_of(body),
            sent=_sent(row),
            job_description=None if briefing is None else briefing.job_description,
            skills=skills,
            endings=endings,
            messages=tuple(map(self._message, messages)),
            carried=None if body.get("scan") is None else tuple(sorted(so_far.evidence.carrying)),
        )

    def _message(self, message: Message) -> MessageView:
        if id(message) not in self.shown:
            self.shown[id(message)] = message, _shown(message)
        return self.shown[id(message)][1]


def _sent(row: Any) -> int:
    """How often the request was sent of which an entry came."""
    if row.kind == "failed":
        return row.body["error"]["fields"].get("attempts", 1)
    return row.body["usage"].get("requests", 1)


def _described(each: Any) -> DescribedView:
    return DescribedView(name=each.name, description=each.description, parameters=each.parameters)


def _shown(message: Message) -> MessageView:
    match message:
        case Told(text, files=files):
            return MessageView(
                by="user",
                text="\n".join([text, *(file.shown for file in files)]),
                images=tuple(file.name for file in files if file.text is None),
            )
        case Returned():
            return MessageView(
                by="skill", text=message.text, skill=message.name, failed=message.failed
            )
        case Said(raw):
            parts: list[dict[str, Json]] = raw["parts"]
            texts = [part["content"] for part in parts if part["part_kind"] == "text"]
            return MessageView(
                by="genie",
                text="\n".join(texts),
                calls=tuple(
                    AskedCall(skill=part["tool_name"], arguments=part["args"])
                    for part in parts
                    if part["part_kind"] == "tool-call"
                ),
            )
