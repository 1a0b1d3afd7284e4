"""Words that errors share: names in quotes, and which name may have been meant."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from itertools import islice

TOLD = 20
"""Problems of one thing that are told one by one."""


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


def few(problems: Iterable[str], count: int) -> list[str]:
    """The first of so many problems, and how many more there are: of millions each would cost."""
    first = list(islice(problems, TOLD))
    return first if count <= TOLD else [*first, f"and {count - TOLD:,} more"]


def sentence(text: str) -> str:
    """A text with one mark at its end, whatever others have put there."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def joined(phrases: Iterable[str]) -> str:
    """Phrases as one sentence, each of which may be one already."""
    return sentence("; ".join(each.rstrip(".") for each in phrases))


def has_ended(status: str) -> str:
    """How a job or a task has ended, after its name in a sentence."""
    return "was cancelled" if status == "cancelled" else f"has {status}"
