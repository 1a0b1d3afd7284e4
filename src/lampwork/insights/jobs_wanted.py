"""Which jobs somebody wants to see."""

from __future__ import annotations

import re

from lampwork.errors import InputInvalid
from lampwork.store.lists.job_filter import JobFilter
from lampwork.views import (
    JobsWanted,
)

_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(.*))?", re.DOTALL)


_ROUNDED = 1e-6
"""Seconds by which a time that was shown, and is given back, may be beside that of the row."""


def job_filter(wanted: JobsWanted) -> JobFilter:
    """For the query. Raises InputInvalid."""
    since, until = wanted.get("since"), wanted.get("until")
    return JobFilter(
        status=wanted.get("status"),
        recipe=wanted.get("recipe"),
        waiting_on=wanted.get("waiting_on"),
        genie=wanted.get("genie"),
        metadata=_pair(wanted.get("metadata")),
        text=wanted.get("text") or None,
        since=None if since is None else since.timestamp() - _ROUNDED,
        until=None if until is None else until.timestamp() - _ROUNDED,
        roots=wanted.get("roots", False),
        restored=wanted.get("restored", False),
    )


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
