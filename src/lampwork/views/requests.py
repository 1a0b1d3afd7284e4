"""Requests to models, as they were sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from lampwork.metadata.proof import Hit
from lampwork.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCall:
    """A call that the genie asked for."""

    skill: str
    arguments: Json
    """As they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message of a request."""

    by: Literal["user", "genie", "skill"]
    """`user` is Lampwork, with what the task is."""
    text: str
    calls: tuple[AskedCall, ...] = ()
    """Of the genie."""
    skill: str | None = None
    """Whose result the text is."""
    failed: bool = False
    images: tuple[str, ...] = ()
    """Names of the images that come with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedView:
    """Something that the model may call."""

    name: str
    description: str
    parameters: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """One request to the model. How the protocol of a provider wraps it is not shown."""

    task: str
    seq: int
    """Of the entry that came of it."""
    at: datetime
    """When that was written."""
    model: str | None
    """None, if no reply came of it."""
    sent: int
    """How often it was sent, tries that failed included."""
    job_description: str | None
    """This and what follows is None if it is not on record, which it was not always."""
    skills: tuple[DescribedView, ...] | None
    endings: tuple[DescribedView, ...] | None
    messages: tuple[MessageView, ...]
    """What comes after those `as_before`; all, if there are none."""
    carried: tuple[Hit, ...] | None
    """The metadata values that it held, where and in which form; None if it was not scanned."""
    as_before: int = 0
    """So many messages of the request before, in the same list, stand before these."""


def abridged(requests: Iterable[RequestView]) -> Iterator[RequestView]:
    """Requests, each without those messages with which the one before it begins the same."""
    before: tuple[MessageView, ...] = ()
    for each in requests:
        same = 0
        for ours, theirs in zip(each.messages, before, strict=False):
            if ours != theirs:
                break
            same += 1
        yield replace(each, messages=each.messages[same:], as_before=same)
        before = each.messages


def in_full(requests: Iterable[RequestView]) -> Iterator[RequestView]:
    """Those that were abridged, with all of their messages."""
    before: tuple[MessageView, ...] = ()
    for each in requests:
        before = (*before[: each.as_before], *each.messages)
        yield replace(each, messages=before, as_before=0)
