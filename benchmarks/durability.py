"""What a connection promises about a commit, in one line that can be compared."""

from __future__ import annotations

from collections.abc import Sequence

SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}

SQLITE = ("PRAGMA journal_mode", "PRAGMA synchronous")
POSTGRES = ("SHOW server_version", "SHOW fsync", "SHOW synchronous_commit")
"""The questions whose answers `described` takes, in this order."""


def questions(url: str | None) -> tuple[str, ...]:
    return POSTGRES if url else SQLITE


def described(url: str | None, answers: Sequence[object]) -> str:
    """For example `SQLite wal, synchronous=FULL`: a sync at every commit."""
    if url is None:
        journal_mode, synchronous = answers
        return f"SQLite {journal_mode}, synchronous={SYNCHRONOUS[int(str(synchronous))]}"
    version, fsync, synchronous = answers
    number = str(version).split()[0]
    return f"Postgres {number}, fsync={fsync}, synchronous_commit={synchronous}"
