"""The questions of a chat that are asked right in its terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lampwork.cli import output
from lampwork.cli.typed import drop_typed
from lampwork.types import Json
from lampwork.views import WaitingOn

__all__ = ["Decision", "ask_to_confirm", "ask_what_became"]

_YES, _NO, _FAIL = ("y", "yes"), ("n", "no"), ("f", "fail")
_BECAUSE = re.compile(r"no?,?\s+because\b[\s:,]*(.+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the user has said of a proposal, or of an effect whose outcome is unknown."""

    verdict: str
    """`confirm` or `reject`; `happened`, `did_not_happen` or `fail`."""
    reason: str = ""
    result: Json = None


def ask_to_confirm(genie: str, wait: WaitingOn) -> Decision | None:
    """Whether it is to be done; None if there was no answer."""
    for line in _proposal(genie, wait):
        output.say(line)
    drop_typed()
    while (word := _typed("Do it? y, n, or n because …: ")) is not None:
        if word.lower() in _YES:
            return Decision("confirm")
        if word.lower() in _NO:
            return Decision("reject")
        if because := _BECAUSE.fullmatch(word):
            return Decision("reject", reason=because[1])
        output.say("That decides nothing. Type y to do it, n not to, or: n because of …")
    return None


def ask_what_became(wait: WaitingOn) -> Decision | None:
    """What became of an effect that nobody is sure of; None if there was no answer."""
    subject = wait.subject or {}
    output.say(f"\nIt is not known {wait.what}.")
    for line in _facts(subject.get("arguments") or {}, wait.metadata or {}):
        output.say(line)
    drop_typed()
    while (word := _typed("Did it happen? y, n (it is done then), or fail: ")) is not None:
        if word.lower() in _YES:
            return _with_result()
        if word.lower() in _NO:
            return Decision("did_not_happen")
        if word.lower() in _FAIL:
            return Decision("fail")
        output.say("That says nothing of it. Type y if it happened, n if not, or fail to give up.")
    return None


def _with_result() -> Decision | None:
    while (word := _typed("What did it return? JSON; null if nothing: ")) is not None:
        try:
            return Decision("happened", result=json.loads(word))
        except ValueError:
            output.say('That is not JSON. A text stands in quotes, as in "receipt 7".')
    return None


def _typed(prompt: str) -> str | None:
    """What is typed, once it is anything; None upon Ctrl-D or Ctrl-C."""
    while True:
        try:
            if word := input(prompt).strip():
                return word
        except (EOFError, KeyboardInterrupt):
            output.say()
            return None


def _proposal(genie: str, wait: WaitingOn) -> Iterator[str]:
    """What the genie means to do: in words, with every argument in full."""
    subject = wait.subject or {}
    says = f": {subject['says']}" if subject["says"] else ""
    yield f"\n{genie} wants to call {subject['skill']}{says}"
    yield from _facts(subject["arguments"], wait.metadata or {})


def _facts(arguments: dict[str, Any], metadata: dict[str, Any]) -> Iterator[str]:
    facts = {name: (value, "") for name, value in arguments.items()}
    facts |= {name: (value, "  (metadata)") for name, value in metadata.items()}
    widest = max(map(len, facts), default=0)
    for name, (value, note) in facts.items():
        first, *more = output.pretty(value).splitlines() or [""]
        yield f"  {name:{widest}}  {first}{note}"
        yield from (f"  {'':{widest}}  {line}" for line in more)
