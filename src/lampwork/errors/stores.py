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


class DatabaseBehind(StoreError):
    """The database's tables are of an older Lampwork; `lampwork migrate` brings them up to date."""


class DatabaseTooNew(StoreError):
    """The database was written by a newer Lampwork."""


class BackupRefused(StoreError):
    """A backup can't be made, there or at all; nothing was left of it."""


class BackupInvalid(StoreError):
    """What was to be a backup is damaged, of another format, or none."""


class RestoreRefused(StoreError):
    """A backup can't be restored there, or was restored by half; nothing was changed."""


class StoreUnavailable(StoreError):
    """The database did not take a change; nothing of it was acknowledged."""


class DatabaseNotWritable(StoreUnavailable):
    """The database does not let this role read, write or make its tables, or takes no changes."""


class DatabaseNotSupported(StoreError):
    """The server is no Postgres that Lampwork works with, or the database not in UTF-8."""
