"""What all views share: how they are written as JSON, times, and pages of lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic_core import to_jsonable_python

from lampwork.types import Json

T = TypeVar("T")


def to_json(view: Any) -> Json:
    """A view as JSON: its fields in their order, times in ISO 8601 and UTC."""
    return to_jsonable_python(view)


def moment(seconds: float) -> datetime:
    """A time of the tables."""
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    """A time of the tables, if there is one."""
    return None if seconds is None else moment(seconds)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next`, if there is more, is what to pass as `after`."""

    items: tuple[T, ...]
    next: str | None
