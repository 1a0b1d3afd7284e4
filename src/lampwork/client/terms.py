"""On what terms a task is assigned over HTTP, and how they are sent."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from typing_extensions import TypedDict

from lampwork.files.path import content_of as path_content
from lampwork.files.reads import Broken
from lampwork.metadata import Sealed
from lampwork.types import Json
from lampwork.views import FileView, Uploaded

if TYPE_CHECKING:
    from lampwork.files.file import File
    from lampwork.genies.budget import Budget

__all__ = ["GivenFile", "Terms", "as_sent", "content_of"]

GivenFile: TypeAlias = "str | os.PathLike[str] | File | Uploaded | FileView"
"""A path of this machine, read here; a file by its content; one that is on the server."""


class Terms(TypedDict, total=False):
    """As `job.assign_task` takes them."""

    conversation: str | None
    """The id of the one to continue."""
    metadata: Mapping[str, Json | Sealed] | None
    """For the skills, never for the model."""
    files: Sequence[GivenFile]
    when_busy: Literal["wait", "fail"]
    when_paused: Literal["wait", "fail"]
    budget: Budget | None
    deadline: datetime | timedelta | float | None
    """Until when the answer must be there: a moment, or a time (or seconds) from now on."""


def as_sent(terms: Terms, files: Sequence[Uploaded | FileView]) -> dict[str, Json]:
    """The members of the body, with the files as they are on the server."""
    metadata, budget = terms.get("metadata") or {}, terms.get("budget")
    sent: dict[str, Json] = {
        "conversation": terms.get("conversation"),
        "metadata": {
            key: each.value if isinstance(each, Sealed) else each for key, each in metadata.items()
        },
        "sealed": [key for key, each in metadata.items() if isinstance(each, Sealed)],
        "files": [
            {"name": each.name, "digest": each.digest, "media_type": each.media_type}
            for each in files
        ],
        "when_busy": terms.get("when_busy"),
        "when_paused": terms.get("when_paused"),
        "budget": None if budget is None else budget.to_json(),
        "deadline": _moment(terms.get("deadline")),
    }
    return {name: each for name, each in sent.items() if each is not None}


def _moment(given: datetime | timedelta | float | None) -> str | None:
    match given:
        case None:
            return None
        case datetime():
            return given.astimezone(UTC).isoformat()
        case timedelta():
            return (datetime.now(UTC) + given).isoformat()
        case _:
            return _moment(timedelta(seconds=given))


def content_of(given: str | os.PathLike[str] | File) -> tuple[str, bytes, str | None]:
    """The name of a file, its content, and the media type that it was given. Blocks.

    Raises FileRejected.
    """
    if isinstance(given, str) or hasattr(given, "__fspath__"):
        path = Path(cast(str, given))
        try:
            return path.name, path_content(path), None
        except Broken as broken:
            raise broken.rejecting(str(path), file=path.name) from None
    file = cast("File", given)
    return file.name, file.content, file.media_type
