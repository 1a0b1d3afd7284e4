"""Which jobs and conversations somebody wants to see."""

from __future__ import annotations

import re
from datetime import datetime

from lampwork.errors import InputInvalid
from lampwork.store.lists.conversation_filter import ConversationFilter
from lampwork.store.lists.job_filter import JobFilter
from lampwork.views import ConversationsWanted, JobsWanted

_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(.*))?", re.DOTALL)


_ROUNDED = 1e-6
"""Seconds by which a time that was shown, and is given back, may be beside that of the row."""


def job_filter(wanted: JobsWanted) -> JobFilter:
    """For the query. Raises InputInvalid."""
    return JobFilter(
        status=wanted.get("status"),
        recipe=wanted.get("recipe"),
        waiting_on=wanted.get("waiting_on"),
        genie=wanted.get("genie"),
        metadata=_pair(wanted.get("metadata")),
        text=wanted.get("text") or None,
        since=_seconds(wanted.get("since")),
        until=_seconds(wanted.get("until")),
        roots=wanted.get("roots", False),
        restored=wanted.get("restored", False),
    )


def conversation_filter(wanted: ConversationsWanted) -> ConversationFilter:
    """For the query. Raises InputInvalid."""
    return ConversationFilter(
        genie=wanted.get("genie"),
        recipe=wanted.get("recipe"),
        status=wanted.get("status"),
        waiting_on=wanted.get("waiting_on"),
        metadata=_pair(wanted.get("metadata")),
        text=wanted.get("text") or None,
        since=_seconds(wanted.get("since")),
        until=_seconds(wanted.get("until")),
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp() - _ROUNDED


def _pair(given: str | None) -> tuple[str, str | None] | None:
    if given is None:
        return None
    found = _PAIR.fullmatch(given)
    if found is None:
        raise InputInvalid(
            f"metadata={given!r} names no key. Give a key, or key=value.",
            problems=["metadata: give a key, or key=value"],
        )
    return found[1], found[2]
