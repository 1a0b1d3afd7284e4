"""Names of files and artifacts: what the model, the record and people know them by."""

from __future__ import annotations

import unicodedata

LONGEST = 200
"""Characters."""

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories of what would break a line, hide, or reverse what is read: see UAX 44."""


def plain(name: str) -> str:
    """The name in NFC. Raises ValueError, saying what is wrong, for one that is no plain name."""
    name = unicodedata.normalize("NFC", name)
    if not name.strip() or name.strip() != name:
        raise ValueError("a name is not empty, and neither begins nor ends with a space")
    if name in (".", "..") or "/" in name or "\\" in name:
        raise ValueError("a name is no path")
    if any(unicodedata.category(character) in _UNSEEN for character in name):
        raise ValueError("a name has no control characters or unseen ones")
    if len(name) > LONGEST:
        raise ValueError(f"a name has {LONGEST} characters at the most")
    return name
