"""What a project, and a genie, may be called."""

from __future__ import annotations

from typing import Any

__all__ = ["wrong_name"]


def wrong_name(given: Any) -> str | None:
    """What is wrong with a name that is typed on command lines and stands in addresses."""
    if not isinstance(given, str) or not given.strip():
        return f"name={given!r} is no name. Give a text."
    if given != given.strip() or "/" in given or not given.isprintable():
        return (
            f"name={given!r} can't stand in an address. "
            'Leave out "/", line breaks and spaces around it.'
        )
    return None
