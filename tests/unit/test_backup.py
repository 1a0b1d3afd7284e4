"""A backup is whole or is not there, and a restore is done as a whole or leaves nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lampwork import failpoint
from lampwork.errors import (
    BackupInvalid,
    BackupRefused,
    DatabaseTooNew,
    FolderInUse,
    FolderNotWritable,
    InputInvalid,
    RestoreRefused,
    StoreUnavailable,
)
from lampwork.lock import FolderLock
from lampwork.place import Folder
from lampwork.store import blobs
from lampwork.store.store import Store
from lampwork.upkeep import backup, restore


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a blob, a row, code that a job is kept on, and an engine's file."""
    home = tmp_path / "home"
    store = Store(Folder(home))
    store.submit(blobs.put, blobs.digest_of(b"content"), b"content").result()
    store.close()
    _do(home, "insert into logs values ('j1', 1, 0, 'said')")
    with closing(sqlite3.connect(home / "engine.db")) as engine:
        engine.execute("create table workflow_status (id text)")
    (home / "code" / "c1").mkdir(parents=True)
    (home / "code" / "c1" / "project.py").write_text("project = None")
    return home


@pytest.fixture
def made(home: Path, tmp_path: Path) -> Path:
    """A backup of it."""
    backup.make(Folder(home), tmp_path / "backups" / "one")
    return tmp_path / "backups" / "one"


def _do(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        connection.execute(statement)
        connection.commit()


def _said(home: Path) -> list[Any]:
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        return connection.execute("select message from logs").fetchall()


def files_in(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_backup_comes_back_as_it_was(home: Path, made: Path, tmp_path: Path) -> None:
    assert files_in(made) == ["backup.json", "code/c1/project.py", "engine.db", "lampwork.db"]
    said = backup.read(made)
    _do(home, "delete from logs")

    done = restore.restore(made, Folder(tmp_path / "new"), by="ann")

    assert _said(tmp_path / "new") == [("said",)]
    assert files_in(tmp_path / "new") == ["code/c1/project.py", "engine.db", "lampwork.db", "lock"]
    assert (done.restoration.backup_at, done.restoration.by) == (said.made_at, "ann")
    assert done.restoration.restored_at > said.made_at
    assert (done.jobs, done.replaced) == (0, None)


# --- making one ---


def test_where_nothing_was_written_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="nothing to back up"):
        backup.make(Folder(tmp_path / "home"), tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_never_takes_the_place_of_what_is_there(home: Path, made: Path) -> None:
    before = files_in(made)
    with pytest.raises(BackupRefused, match="is there already"):
        backup.make(Folder(home), made)
    assert files_in(made) == before


def test_where_it_can_not_be_written_nothing_is_left(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackupRefused, match="can't hold a backup"):
        backup.make(Folder(home), tmp_path / "file" / "backup")


@pytest.mark.parametrize("what", ["a blob", "a page"])
def test_damage_is_found_before_anybody_relies_on_the_backup(
    what: str, home: Path, tmp_path: Path
) -> None:
    if what == "a blob":
        _do(home, "update blobs set content = x'00'")
    else:
        _damage(home / "lampwork.db")

    with pytest.raises((BackupInvalid, StoreUnavailable)) as raised:
        backup.make(Folder(home), tmp_path / "backup")

    assert "lampwork.db" in str(raised.value) or "content of blob" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def _damage(file: Path) -> None:
    """Nonsense in the pages behind the schema."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    with file.open("r+b") as pages:
        size = file.stat().st_size
        for page in range(8192 * 2, size, 8192):
            pages.seek(page)
            pages.write(b"\xff" * 200)


# --- reading one ---


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda made: (made / "backup.json").unlink(), "is no whole backup"),
        (lambda made: (made / "backup.json").write_text("{}"), "is no whole backup"),
        (lambda made: (made / "engine.db").unlink(), "is no whole backup"),
        (lambda made: (made / "lampwork.db").write_bytes(b""), "lampwork.db is not what was"),
        (lambda made: _flip(made / "lampwork.db"), "its content is not what was backed up"),
        (lambda made: _say(made, format=2), "of format 2, and this version reads 1"),
        (lambda made: _name(made, "../elsewhere"), "names a file outside of it"),
    ],
    ids=["no manifest", "empty", "a file less", "short", "flipped", "format", "outside"],
)
def test_what_is_no_sound_backup_is_refused_and_leaves_nothing(
    damage: Any, why: str, made: Path, tmp_path: Path
) -> None:
    (made.parent / "elsewhere").write_text("project = None")
    damage(made)
    with pytest.raises(BackupInvalid, match=why):
        restore.restore(made, Folder(tmp_path / "new"), by="ann")
    assert not (tmp_path / "new").exists()


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)


def _say(made: Path, **what: Any) -> None:
    said = json.loads((made / "backup.json").read_text())
    (made / "backup.json").write_text(json.dumps(said | what))


def _name(made: Path, name: str) -> None:
    said = json.loads((made / "backup.json").read_text())
    [code] = [file for file in said["files"] if file["name"].startswith("code")]
    code["name"] = name
    _say(made, files=said["files"])


def test_a_backup_of_a_newer_version_is_refused(made: Path, tmp_path: Path) -> None:
    _say(made, revision="9999", lampwork="9.9.9")
    with pytest.raises(DatabaseTooNew, match=r"made by Lampwork 9\.9\.9, which is newer"):
        restore.restore(made, Folder(tmp_path / "new"), by="ann")
    assert not (tmp_path / "new").exists()


# --- where it is restored ---


def test_a_folder_where_somebody_executes_is_left_alone(home: Path, made: Path) -> None:
    lock = FolderLock(home)
    before = files_in(home)
    try:
        with pytest.raises(FolderInUse):
            restore.restore(made, Folder(home), by="ann", replace=True)
        with pytest.raises(FolderInUse):
            restore.mark(Folder(home), backup_at=1.0, by="ann")
    finally:
        lock.release()
    assert files_in(home) == before


def test_what_is_there_is_replaced_only_when_that_is_said_and_put_aside(
    home: Path, made: Path
) -> None:
    _do(home, "update logs set message = 'newer'")

    with pytest.raises(RestoreRefused, match=r"is not empty: lampwork\.db, engine\.db, code would"):
        restore.restore(made, Folder(home), by="ann")
    assert _said(home) == [("newer",)]

    done = restore.restore(made, Folder(home), by="ann", replace=True)
    assert _said(home) == [("said",)]
    assert done.replaced is not None
    assert _said(done.replaced) == [("newer",)]
    assert files_in(done.replaced) == ["code/c1/project.py", "engine.db", "lampwork.db"]


@pytest.fixture
def interrupted() -> Iterator[None]:
    """A restore ends when half of it is in place, as at a SIGKILL."""

    def die() -> None:
        raise KeyboardInterrupt

    failpoint.arm("restore.moved", die)
    yield
    failpoint.disarm("restore.moved")


@pytest.mark.usefixtures("interrupted")
def test_a_folder_that_was_restored_by_half_is_not_opened_until_it_is_done_again(
    home: Path, made: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        restore.restore(made, Folder(home), by="ann", replace=True)
    with pytest.raises(RestoreRefused, match="was interrupted"):
        Store(Folder(home))

    failpoint.disarm("restore.moved")
    restore.restore(made, Folder(home), by="ann", replace=True)
    assert _said(home) == [("said",)]


def test_a_folder_that_can_not_be_written_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderNotWritable):
        restore.restore(made, Folder(tmp_path / "file" / "home"), by="ann")


def test_what_was_restored_by_other_means_is_marked(home: Path, tmp_path: Path) -> None:
    done = restore.mark(Folder(home), backup_at=1.0, by="ann")
    assert (done.restoration.backup_at, done.jobs) == (1.0, 0)
    with pytest.raises(InputInvalid, match="has not come"):
        restore.mark(Folder(home), backup_at=9e9, by="ann")
    with pytest.raises(RestoreRefused, match="nothing to mark"):
        restore.mark(Folder(tmp_path / "none"), backup_at=1.0, by="ann")
