"""Words that errors share: names in quotes, and which name may have been meant."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable


def quoted(name: object) -> str:
    """A name that someone gave, in quotes, on one line, cut to what people read."""
    return json.dumps(str(name)[:220], ensure_ascii=False)


def one_of(given: str, known: Iterable[str]) -> str:
    """The end of an error about a name that there is not: which was meant, or which there are."""
    listed = list(known)
    return close_to(given, listed) or f"There are: {', '.join(listed) or 'none'}."


def close_to(given: str, known: Iterable[str]) -> str:
    """A question for the name that was meant, if one comes near; or nothing."""
    near = difflib.get_close_matches(given, list(known), n=2)
    return f"Did you mean {' or '.join(map(quoted, near))}?" if near else ""


def has_ended(status: str) -> str:
    """How a job or a task has ended, after its name in a sentence."""
    return "was cancelled" if status == "cancelled" else f"has {status}"
