"""Backups of a folder, made while it is used: both databases as they are at one moment.

A backup is a folder: the databases, the code that jobs are kept on, and `backup.json`, which says
when it was made, by which version, and the digest of each file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lampwork.errors import BackupInvalid, BackupRefused
from lampwork.place import Place, Server
from lampwork.store.upkeep.condition import condition_of
from lampwork.store.upkeep.snapshot import DATABASES, copy_databases, faults_in

__all__ = ["CODE", "Backup", "File", "copy_verified", "make", "read", "sync", "sync_one"]

CODE = "code"
"""The copies of the code that jobs are kept on, see `lampwork dev`."""

_MANIFEST = "backup.json"
_FORMAT = 1
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file of a backup."""

    name: str
    """Its path in the backup."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself."""

    made_at: float
    """The moment that it shows, in epoch seconds."""
    lampwork: str
    """The version that made it."""
    revision: str
    """Of our tables."""
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def make(place: Place, to: Path) -> Backup:
    """Back a folder up, verify it, and only then call it `to`. Blocks.

    Whoever executes goes on. Raises BackupRefused, BackupInvalid, StoreUnavailable.
    """
    if isinstance(place, Server):
        raise BackupRefused(
            f"{place} is backed up by Postgres itself: pg_dump --format=custom --schema=lampwork "
            f"--schema=dbos --file={to} URL. See docs/backup.md."
        )
    home = place.path
    if condition_of(home) is None:
        raise BackupRefused(f"There is nothing to back up: nothing was ever written in {home}.")
    if to.exists():
        raise BackupRefused(f"{to} is there already. Name a folder that is not.")
    with _whole_or_nothing(to) as folder:
        made_at = copy_databases(home, folder)
        if (home / CODE).is_dir():
            shutil.copytree(home / CODE, folder / CODE, dirs_exist_ok=True)
        if faults := list(faults_in(folder)):
            raise BackupInvalid(
                f"The backup of {home} would be of no use: {'; '.join(faults)}. It was not kept. "
                "See what `lampwork doctor` says of the folder."
            )
        condition = condition_of(folder)
        assert condition is not None
        files = tuple(_described(folder, file) for file in _files_in(folder))
        backup = Backup(made_at, version("lampwork"), condition.revision, files)
        text = json.dumps({"format": _FORMAT} | asdict(backup), indent=2)
        (folder / _MANIFEST).write_text(text + "\n", "utf-8")
        sync(folder)
    return backup


@contextmanager
def _whole_or_nothing(to: Path) -> Generator[Path]:
    """A folder beside it that gets its name when the block has ended well, and else is gone."""
    partial = to.with_name(f"{to.name}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        yield partial
        partial.rename(to)
        sync_one(to.parent)
    except OSError as error:
        why = "it is there already" if error.errno == errno.ENOTEMPTY else error.strerror
        raise BackupRefused(
            f"{to} can't hold a backup: {why}. Name a folder that does not exist, on a disk with "
            "room for it."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read(folder: Path) -> Backup:
    """What a backup says of itself, its files being there in full size. Raises BackupInvalid."""
    try:
        said: dict[str, Any] = json.loads((folder / _MANIFEST).read_text("utf-8"))
        if said["format"] != _FORMAT:
            raise BackupInvalid(
                f"{folder} is a backup of format {said['format']}, and this version reads "
                f"{_FORMAT}. Restore it with Lampwork {said['lampwork']}."
            )
        files = tuple(File(**each) for each in said["files"])
        backup = Backup(said["made_at"], said["lampwork"], said["revision"], files)
        sizes = {file.name: (folder / file.name).stat().st_size for file in files}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupInvalid(
            f"{folder} is no whole backup ({type(error).__name__}: {error}). "
            "Name a folder that `lampwork backup` has made."
        ) from error
    short = [file.name for file in files if sizes[file.name] != file.size]
    if short or DATABASES[0] not in sizes:
        raise BackupInvalid(
            f"{folder} is damaged: {', '.join(short) or DATABASES[0]} is not what was backed up. "
            "Take another backup."
        )
    return backup


def copy_verified(backup: Backup, folder: Path, to: Path) -> None:
    """Copy its files to a folder, each with the content that was backed up. Raises BackupInvalid.

    Blocks.
    """
    for file in backup.files:
        if Path(file.name).is_absolute() or ".." in Path(file.name).parts:
            raise BackupInvalid(f"{folder} names a file outside of it: {file.name}.")
        target = to / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if _digest(folder / file.name, target) != file.sha256:
            raise BackupInvalid(
                f"{folder / file.name} is damaged: its content is not what was backed up. "
                "Nothing was restored. Take another backup."
            )


def _described(folder: Path, file: Path) -> File:
    return File(str(file.relative_to(folder)), file.stat().st_size, _digest(file))


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _digest(file: Path, copy: Path | None = None) -> str:
    """The digest of a file; on the way it is copied, if a copy is wanted."""
    digest = hashlib.sha256()
    with file.open("rb") as source, open(copy or os.devnull, "wb") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def sync(folder: Path) -> None:
    """Have a folder with all that is in it on disk. Raises OSError."""
    for each in [*folder.rglob("*"), folder]:
        sync_one(each)


def sync_one(path: Path) -> None:
    """Have a file, or the names in a folder, on disk. Raises OSError."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
