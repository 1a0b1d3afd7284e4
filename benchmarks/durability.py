"""What a SQLite connection promises about a commit, in one line that can be compared."""

from __future__ import annotations

SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
PRAGMAS = ("PRAGMA journal_mode", "PRAGMA synchronous")


def described(journal_mode: str, synchronous: int) -> str:
    """For example `wal, synchronous=FULL`: an fsync at every commit."""
    return f"{journal_mode}, synchronous={SYNCHRONOUS[synchronous]}"
