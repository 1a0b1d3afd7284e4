"""Keys by which work is done once, as they are kept when those are erased whom they may name."""

from __future__ import annotations

import hashlib

_VEIL = "sha256:"


def veiled(key: str) -> str:
    """What stands for a key that nobody shall read any more; who has the key finds it again."""
    return key if key.startswith(_VEIL) else _VEIL + hashlib.sha256(key.encode()).hexdigest()
