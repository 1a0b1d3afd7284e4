"""The folder of the state: whether it can be written, what is in it, who executes, who waits."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from lampwork import lock
from lampwork.doctor.diagnosis import Diagnosis, ok, problem, warning
from lampwork.errors import StoreUnavailable
from lampwork.settings import MEBIBYTE
from lampwork.store.upkeep.condition import Condition, Paused, check_engine_file, condition_of

_TOO_LITTLE, _LITTLE = 50 * MEBIBYTE, 1000 * MEBIBYTE
"""Free bytes. A full disk ends the process that executes."""

_MOUNTS = Path("/proc/self/mountinfo")
"""What is mounted where: proc(5) of Linux."""

_CLOCKS_DIFFER = 60.0
"""Seconds."""

_NETWORK = frozenset(
    {
        *("9p", "afs", "ceph", "cifs", "davfs", "lustre", "nfs", "nfs4", "smb3", "smbfs", "vboxsf"),
        *("fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
    }
)
"""Filesystems on which processes do not share the memory that SQLite's log needs."""


def in_folder(home: Path, worker: str) -> list[Diagnosis]:
    """What concerns the folder and the jobs in it; `worker` is the command that executes them."""
    found = [_writable(home), *_disk(home)]
    try:
        condition = condition_of(home)
        check_engine_file(home)
        pid, dev = lock.holder(home), lock.in_charge(home)
    except (OSError, StoreUnavailable) as error:
        mend = "Bring a backup of the whole folder back, or name another one with --home."
        return [*found, problem("database", str(error), mend)]
    if condition is None:
        return [*found, ok("database", "Nothing has been written yet.")]
    found += [*_databases(home, condition), *_jobs(condition, pid, dev, worker)]
    return [*found, *map(_paused, condition.paused)]


def left_behind(home: Path) -> Iterator[Diagnosis]:
    """What a folder still holds beside a database that is used in its place."""
    try:
        condition = condition_of(home)
    except StoreUnavailable:  # nobody uses it
        return
    unfinished = 0 if condition is None else _unfinished(condition)
    if unfinished:
        yield warning(
            "folder",
            f"{home} holds jobs that have not ended, {unfinished}: they do not move by themselves.",
            f"Let a worker finish them there: lampwork worker --home {shlex.quote(str(home))}",
        )


def _unfinished(condition: Condition) -> int:
    return condition.attention + sum((*condition.due.values(), *condition.waiting.values()))


# --- the place ---


def _writable(home: Path) -> Diagnosis:
    place = _there(home)
    writes = os.W_OK | os.X_OK
    names = ("lampwork.db", "engine.db", "lock")
    files = [home / name for name in names if (home / name).exists()]
    refused = [place] if not os.access(place, writes) else []
    refused += [file for file in files if not os.access(file, os.W_OK)]
    if refused:
        return problem(
            "folder",
            f"{refused[0]} can't be written by user {os.getuid()}.",
            "Make it writable, or name another folder with --home or LAMPWORK_HOME.",
        )
    if place != home:
        return ok("folder", f"{home} is not there yet; the first job makes it.")
    return ok("folder", f"{home} can be written.")


def _disk(home: Path) -> Iterator[Diagnosis]:
    place = _there(home)
    free = shutil.disk_usage(place).free
    filesystem = _filesystem(place)
    on = f" on {filesystem}" if filesystem else ""
    if filesystem in _NETWORK:
        yield warning(
            "disk",
            f"{place} is{on}, a network's filesystem: SQLite's write-ahead log is not safe there.",
            "Put the folder on a local disk: --home or LAMPWORK_HOME.",
        )
    if free < _LITTLE:
        diagnosis = problem if free < _TOO_LITTLE else warning
        yield diagnosis(
            "disk",
            f"{free // MEBIBYTE:,} MiB are free{on}. On a full disk nothing is executed.",
            "Make room, or move the folder.",
        )
    elif filesystem not in _NETWORK:
        yield ok("disk", f"{free / MEBIBYTE / 1024:,.1f} GiB free{on}.")


def _there(path: Path) -> Path:
    """The path, or the nearest above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _filesystem(path: Path) -> str | None:
    """The type of the filesystem that a path is on; None where the kernel does not say."""
    try:
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    found = ("", None)
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        mounted = left.split()[4].replace("\\040", " ")
        if path.resolve().is_relative_to(mounted) and len(mounted) >= len(found[0]):
            found = (mounted, right.split()[0])
    return found[1]


# --- what is in it ---


def _databases(home: Path, condition: Condition) -> Iterator[Diagnosis]:
    sizes = ", ".join(
        f"{name} {_size(home, name) / MEBIBYTE:,.1f} MiB"
        for name in ("lampwork.db", "engine.db")
        if (home / name).exists()
    )
    revision = condition.revision
    if condition.has_executed and not (home / "engine.db").exists():
        yield problem(
            "database",
            "engine.db is gone, and with it what jobs have done: they would do it again.",
            "Bring a backup of the whole folder back: the two files belong together.",
        )
    match condition.schema:
        case "current":
            yield ok("database", f"{sizes}; tables of revision {revision}, as they should be.")
        case "behind":
            yield warning(
                "database",
                f"{sizes}; the tables are of an older Lampwork (revision {revision}).",
                "The next command that opens the folder, such as `lampwork jobs`, brings them up "
                "to date. Copy it before: the older version can't open it any more.",
            )
        case "ahead":
            yield problem(
                "database",
                f"{sizes}; a newer Lampwork has written the tables (revision {revision}).",
                "Install that version, or name another folder with --home.",
            )
    if condition.restored_from is not None:
        yield warning(
            "database",
            f"It was restored from a backup of {_local(condition.restored_from)}: what jobs did "
            "after that is not known here, and is asked for.",
            "When all is known: lampwork restored --close",
        )
    if condition.newest is not None and condition.newest > time.time() + _CLOCKS_DIFFER:
        yield warning(
            "clock",
            f"A job was changed at {_local(condition.newest)}, which has not come by this clock.",
            "Set the clock: until then timers, crons and deadlines come late.",
        )


def _size(home: Path, name: str) -> int:
    """Bytes of a database, with its log."""
    size = 0
    for file in home.glob(f"{name}*"):
        with contextlib.suppress(FileNotFoundError):  # who closes the database takes its log along
            size += file.stat().st_size
    return size


def _jobs(
    condition: Condition, pid: str | None, dev: str | None, worker: str
) -> Iterator[Diagnosis]:
    due, waiting = sum(condition.due.values()), sum(condition.waiting.values())
    counts = f"{_counted(due)} to be executed, {waiting} waiting"
    if pid is not None:
        yield ok("worker", f"{_executing(condition, pid)} executes. {counts}.")
        yield from _left_alone(condition, pid)
    elif dev is not None:
        has = f"`lampwork dev` (process {dev}) has the folder: {lock.BETWEEN}"
        yield ok("worker", f"{has} {counts}.")
    elif due or waiting:
        yield warning(
            "worker",
            f"{counts}, and nobody executes: nothing goes on, timers neither.",
            f"Type: {worker}",
        )
    else:
        yield ok("worker", "Nobody executes, and no job waits for it.")
    if condition.attention:
        named = ", ".join(condition.in_need)
        more = ", …" if condition.attention > len(condition.in_need) else ""
        yield warning(
            "attention",
            f"{_counted(condition.attention)} in need of a person: {named}{more}",
            f"Type: lampwork job {condition.in_need[0]}",
        )


def _executing(condition: Condition, pid: str) -> str:
    known = condition.executing
    if known is None or str(known.pid) != pid:
        return f"Process {pid}"
    return f"Process {pid} (project {known.project}, since {_local(known.since)})"


def _left_alone(condition: Condition, pid: str) -> Iterator[Diagnosis]:
    """Jobs of projects other than the one that is executed."""
    known = condition.executing
    if known is None or str(known.pid) != pid:
        return
    others = {name: count for name, count in condition.due.items() if name != known.project}
    if others:
        which = ", ".join(f"{count} of {name}" for name, count in others.items())
        yield warning(
            "worker",
            f"It leaves the jobs of other projects alone: {which}.",
            "When it has ended, start a worker of their project.",
        )


def _paused(genie: Paused) -> Diagnosis:
    why = f" ({genie.why})" if genie.why else ""
    return warning(
        "genie",
        f'Genie "{genie.genie}" of {genie.project} is paused by {genie.by}{why}: it takes no new '
        "tasks.",
        f"Type: lampwork genie {genie.genie} start",
    )


def _counted(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _local(moment: float) -> str:
    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M:%S")
