"""Restoring a folder from a backup, and marking a database that was restored by other means.

The world is newer than what is restored. So the jobs that had not ended are marked, see
`store/upkeep/restorations.py`: what they are about to do may have been done after the backup.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lampwork import clock, failpoint
from lampwork.errors import DatabaseTooNew, InputInvalid, RestoreRefused
from lampwork.lock import FolderLock
from lampwork.place import Folder, Place, Server
from lampwork.store import migrations
from lampwork.store.migrations.folder import MOVING
from lampwork.store.people.audit import Act, recorded
from lampwork.store.store import Store
from lampwork.store.upkeep import restorations
from lampwork.store.upkeep.restorations import Restoration
from lampwork.store.upkeep.snapshot import DATABASES
from lampwork.upkeep.backup import CODE, copy_verified, read, sync, sync_one

__all__ = ["Restored", "close", "mark", "restore"]

_NAMES = tuple(f"{name}{part}" for name in DATABASES for part in ("", "-wal", "-shm"))


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    restoration: Restoration
    jobs: int
    """How many trees of jobs had not ended."""
    replaced: Path | None = None
    """The folder with what was there before."""


def restore(folder: Path, place: Place, *, by: str, replace: bool = False) -> Restored:
    """Restore a backup into a folder, and mark what goes on there. Blocks.

    With `replace` what is in the folder is put aside first. Raises BackupInvalid, DatabaseTooNew,
    RestoreRefused, FolderInUse, FolderNotWritable; then the folder is as it was.
    """
    if isinstance(place, Server):
        raise RestoreRefused(
            f"{place} is restored by Postgres itself: pg_restore --no-owner --dbname=URL {folder}. "
            "Mark it then: lampwork restored --at TIME. See docs/backup.md."
        )
    backup, home = read(folder), place.path
    if not migrations.is_known(backup.revision):
        raise DatabaseTooNew(
            f"{folder} was made by Lampwork {backup.lampwork}, which is newer (revision "
            f"{backup.revision}; this one knows {migrations.HEAD}). Install that version."
        )
    _check_empty(home, replace)
    with _locked(home):
        _check_empty(home, replace)
        staging = home / "restoring.part"
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            copy_verified(backup, folder, staging)
            restoration, jobs = _marked(Folder(staging), backup.made_at, by)
            sync(staging)
            replaced = _put_in_place(home, staging)
        except (OSError, sqlite3.Error) as error:
            raise RestoreRefused(
                f"{folder} can't be restored into {home}: {error}. Make room, or name another "
                "folder with --home."
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Restored(restoration, jobs, replaced)


def mark(place: Place, *, backup_at: float, by: str) -> Restored:
    """Mark a database that was restored by other means from a backup of that moment. Blocks.

    Nobody may execute there: in a folder that is made sure of, on a server it is up to the caller.
    Raises RestoreRefused, InputInvalid, FolderInUse, DatabaseBehind.
    """
    if backup_at > clock.now():
        raise InputInvalid("A backup can't be of a time that has not come.", problems=["at"])
    if isinstance(place, Server):
        return Restored(*_marked(place, backup_at, by))
    if not (place.path / DATABASES[0]).exists():
        raise RestoreRefused(f"There is nothing to mark: nothing was ever written in {place}.")
    with _locked(place.path):
        return Restored(*_marked(place, backup_at, by))


def close(place: Place) -> int:
    """A person says that all that was done after the backup is known; how many jobs were marked.

    They go on as others do, and so do those that triggers and idempotency keys start. Blocks.
    """
    store = Store(place)
    try:
        return store.submit(recorded(Act("restore.close"), restorations.close)).result()
    finally:
        store.close()


def _marked(place: Place, backup_at: float, by: str) -> tuple[Restoration, int]:
    store = Store(place)
    beginning = recorded(Act("restore.begin"), restorations.begin)
    try:
        return store.submit(beginning, backup_at=backup_at, by=by).result()
    finally:
        store.close()


def _check_empty(home: Path, replace: bool) -> None:
    """Raise RestoreRefused if there is something that would be replaced."""
    if not replace and (found := _in_the_way(home)):
        raise RestoreRefused(
            f"{home} is not empty: {', '.join(found)} would be replaced. With --replace it is put "
            "aside in a folder beside it; or name another folder with --home."
        )


def _in_the_way(home: Path) -> list[str]:
    return [name for name in (*_NAMES, CODE) if (home / name).exists()]


@contextmanager
def _locked(home: Path) -> Generator[None]:
    """Nobody executes in the folder meanwhile; one that this has made is gone if it fails."""
    is_new = not home.exists()
    lock = FolderLock(home)
    try:
        yield
    except BaseException:
        if is_new:
            shutil.rmtree(home, ignore_errors=True)
        raise
    finally:
        lock.release()


def _put_in_place(home: Path, staging: Path) -> Path | None:
    """Move everything where it belongs. While it is moved, nobody opens the folder."""
    moving = home / MOVING
    shutil.rmtree(moving, ignore_errors=True)
    staging.rename(moving)
    sync(moving)
    replaced = None
    if found := _in_the_way(home):
        stamp = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m%dT%H%M%S.%f")
        replaced = home / f"replaced-{stamp}"
        replaced.mkdir()
        for name in found:
            (home / name).rename(replaced / name)
    for each in list(moving.iterdir()):
        each.rename(home / each.name)
        failpoint.hit("restore.moved")
    moving.rmdir()
    sync_one(home)
    return replaced
