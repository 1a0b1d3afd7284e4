"""What proves who somebody is without a password: random, shown once, kept by its digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets

__all__ = ["digest", "letters", "same"]

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def letters(count: int = 43) -> str:
    """Random letters and digits, so that a double click selects all; 43 hold 256 bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def digest(token: str) -> str:
    """As it is kept. Nothing slower is of use: nobody guesses 256 bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are the same, in a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())
