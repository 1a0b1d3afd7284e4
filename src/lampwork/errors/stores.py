"""The database, or its folder."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class StoreError(LampworkError):
    """The database or its folder."""

    status = 503


class FolderInUse(StoreError):
    """Another process executes jobs in this folder. Fields: `home`, `pid`."""


class FolderNotWritable(StoreError):
    """The folder for the state cannot be written."""


class DatabaseNotWritable(StoreError):
    """The database lets this role make no tables."""


class DatabaseBehind(StoreError):
    """The database's tables are of an older Lampwork; `lampwork migrate` brings them up to date."""


class DatabaseTooNew(StoreError):
    """The database was written by a newer Lampwork."""


class StoreUnavailable(StoreError):
    """The database did not take a change; nothing of it was acknowledged."""
