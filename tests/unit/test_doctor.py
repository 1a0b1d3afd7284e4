"""What the doctor says of machines that tests can't have: full disks, wrong packages, no kernel."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lampwork.doctor import Diagnosis, folder, machine
from lampwork.errors import FolderInUse
from lampwork.lock import FolderLock, holder

GIBIBYTE = 1024**3


def about(subject: str, found: Sequence[Diagnosis]) -> list[tuple[str, str]]:
    return [(each.state, each.message) for each in found if each.about == subject]


@pytest.mark.parametrize(
    ("free", "state"), [(10 * GIBIBYTE, "ok"), (GIBIBYTE // 2, "warning"), (1000, "problem")]
)
def test_a_disk_that_is_nearly_full_is_a_warning_and_a_full_one_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, state: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    monkeypatch.setattr(folder, "_MOUNTS", tmp_path / "absent")

    ((found, _),) = about("disk", folder.in_folder(tmp_path, "lampwork worker"))

    assert found == state


def test_the_innermost_mount_says_which_filesystem_a_folder_is_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts = tmp_path / "mounts"
    inner = str(tmp_path / "my state").replace(" ", "\\040")
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"40 22 0:31 / {inner} rw - nfs4 server:/export rw\n"
        f"41 22 0:32 / {inner}s rw - tmpfs tmpfs rw\n"
    )
    monkeypatch.setattr(folder, "_MOUNTS", mounts)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10 * GIBIBYTE))
    (tmp_path / "my state").mkdir()

    ((state, said),) = about("disk", folder.in_folder(tmp_path / "my state", "lampwork worker"))
    ((other, _),) = about("disk", folder.in_folder(tmp_path / "other", "lampwork worker"))

    assert (state, other) == ("warning", "ok")
    assert "nfs4, a network's filesystem" in said


def test_a_folder_that_can_not_be_written_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)

    below = tmp_path / "a" / "b"
    ((state, said),) = about("folder", folder.in_folder(below, "lampwork worker"))

    assert (state, said) == ("problem", f"{tmp_path} can't be written by user {os.getuid()}.")


def test_packages_of_other_versions_than_we_pin_are_problems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = metadata.version
    assert [state for state, _ in about("packages", list(machine.on_machine()))] == ["ok"]

    monkeypatch.setattr(metadata, "version", lambda name: "2.0" if name == "dbos" else right(name))

    found = [each for each in machine.on_machine() if each.about == "packages"]
    assert [each.state for each in found] == ["problem"]
    assert found[0].message.startswith("dbos 2.0 is installed; lampwork ")
    assert found[0].mend is not None
    assert 'pip install "dbos==' in found[0].mend


def test_a_kernel_without_user_namespaces_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(subprocess, "run", refused)

    ((state, said),) = about("files", list(machine.on_machine()))

    assert state == "warning"
    assert "no user namespaces" in said


def test_who_holds_the_lock_is_seen_without_taking_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []

    lock = FolderLock(tmp_path)
    assert holder(tmp_path) == str(os.getpid())
    with pytest.raises(FolderInUse):
        FolderLock(tmp_path)

    lock.release()
    assert holder(tmp_path) is None
    FolderLock(tmp_path).release()


def test_who_starts_while_somebody_looks_gets_the_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """*A busy machine let the one who looked rest there: nobody had the lock, it was in use.*"""
    FolderLock(tmp_path).release()
    looking = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    pauses = itertools.count()

    def pause(_seconds: float) -> None:
        if next(pauses) == 20:
            os.close(looking)

    monkeypatch.setattr(time, "sleep", pause)

    lock = FolderLock(tmp_path)

    assert holder(tmp_path) == str(os.getpid())
    lock.release()
