"""Passwords, by argon2id with the parameters of RFC 9106 for little memory (64 MiB, 3 rounds)."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lampwork.errors import InputInvalid
from lampwork.threads import Threads

__all__ = ["LONGEST", "NOBODYS", "SHORTEST", "fits", "hashed"]

T = TypeVar("T")

SHORTEST, LONGEST = 12, 1024
"""Characters."""

NOBODYS = (
    "$argon2id$v=19$m=65536,t=3,p=4$bGFtcHdvcmsgbm9ib2R5cw"
    "$qct2q8fcZRY/6XojqKBivP+eyqYZg5MTq8QK353uYF4"
)
"""What a password is compared with where there is no account, so that it takes as long."""

_hasher = PasswordHasher()

_threads = Threads(2, "lampwork-password")
"""So few, because each takes 64 MiB for as long as it compares: some 50 ms."""


async def hashed(password: str) -> str:
    """As it is kept. Raises InputInvalid for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputInvalid(
            f"The password has {len(password)} characters; take from {SHORTEST} to {LONGEST}. "
            "Several words are easy to remember.",
            problems=["password"],
        )
    return await _in_thread(lambda: _hasher.hash(_normal(password)))


async def fits(password: str, kept: str) -> bool:
    """Whether it is the password that is kept."""

    def verify() -> bool:
        try:
            return _hasher.verify(kept, _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    return len(password) <= LONGEST and await _in_thread(verify)


def _normal(password: str) -> str:
    """The same for whatever way a keyboard has of composing letters (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


async def _in_thread(do: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, do)
