"""JSON only: what is read back from the engine's file is never code."""

from __future__ import annotations

import json
from typing import Any

from dbos import _serialization  # pyright: ignore[reportPrivateUsage]  # no public name for it
from dbos._serialization import Serializer


class ForeignFormat(Exception):
    """A row of the engine's file is in a format that Lampwork never writes."""


class JsonSerializer(Serializer):
    """Writes arguments and recorded envelopes as JSON."""

    def name(self) -> str:
        return "lampwork_json"

    def serialize(self, data: Any) -> str:
        # What we run returns its errors. One that is raised is the engine's own, as when its
        # database is away, and is nobody's outcome.
        if isinstance(data, BaseException):
            raise data
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)


def refuse_pickle() -> None:
    """Make DBOS refuse rows marked as pickle.

    DBOS reads a row by the format that the row names, whatever serializer is configured, so a row
    that someone wrote into the file would run its code when it is merely listed.
    """

    def refuse(serialized_data: str) -> Any:
        raise ForeignFormat("a row marked as pickle was refused")

    vars(_serialization.DBOSDefaultSerializer)["deserialize"] = refuse
