"""What `lampwork dev` says: a line with the time for people, or a line of JSON for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import datetime

from lampwork.cli import output
from lampwork.types import Json

_INDENT = " " * 10


@dataclass(frozen=True, slots=True)
class Voice:
    """Says what happens, once for each who listens."""

    as_json: bool

    def tell(self, event: str, text: str | None, **facts: Json) -> None:
        """Say that something has happened: its facts to programs, the text, if any, to people."""
        now = datetime.now().astimezone()
        if self.as_json:
            said = {"event": event, "at": now.isoformat(timespec="milliseconds"), **facts}
            print(json.dumps(said, ensure_ascii=False), file=sys.__stdout__, flush=True)
            return
        if text is None:
            return
        first, *rest = text.rstrip().splitlines()
        output.say(f"{now:%H:%M:%S}  {first}")
        for line in rest:
            output.say(f"{_INDENT}{line}")

    def ask(self, text: str) -> None:
        """Ask people something, and stay on the line."""
        print(output.clean(text), end="", flush=True)
