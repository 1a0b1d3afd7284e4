"""The source files that a project consists of, and copies of its modules to run it again from.

`lampwork dev` makes such a copy of what it loads: when an edit does not fit a waiting job, the code
of before is still there. A copy bears the digest of all files, and lies in the folder of the state.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Iterable, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from lampwork.versioning.code_of_then import load_from_copies

_LARGEST = 1024 * 1024
"""Bytes of the largest file which is read at import that is taken for a part of the code."""

_MANIFEST = "sources.json"

_LOADED = "loaded"
"""In a copy: a file whose time says when its code was last executed as the one of its day."""


class Reading:
    """Notes the files that are read: what a module reads when it is imported is part of the code.

    An audit hook can't be taken away, so use one of these in a process.
    """

    def __init__(self) -> None:
        self.files: set[Path] = set()
        self._notes = True
        sys.addaudithook(self._hear)

    def stop(self) -> None:
        """Note no more."""
        self._notes = False

    def _hear(self, event: str, args: tuple[object, ...]) -> None:
        if not self._notes or event != "open":
            return
        path, mode, flags = args
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        if isinstance(path, str) and not writes and not set(str(mode)) & set("wax+"):
            self.files.add(Path(path).absolute())


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read."""

    path: str
    root: int
    """Of the folders on `sys.path`, the one that it was imported from."""
    place: str
    """Its path below that."""
    digest: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a project, and where in them it is defined."""

    project: str
    module: str
    name: str
    """Of the project in its module."""
    roots: tuple[str, ...]
    files: tuple[SourceFile, ...]

    @property
    def code(self) -> str:
        """What tells this state of the code from every other one."""
        facts = [self.module, self.name, *self.roots]
        facts += [f"{each.root} {each.place} {each.digest}" for each in self.files]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]

    @property
    def folders(self) -> frozenset[Path]:
        """Where its files lie."""
        return frozenset(Path(each.path).parent for each in self.files)

    @property
    def modules(self) -> tuple[SourceFile, ...]:
        """What is copied: code. All else that was read is found as it is when it is read again."""
        return tuple(each for each in self.files if each.place.endswith(".py"))

    def are_as_read(self) -> bool:
        """Whether each file is still what it was."""
        return all(_digest_at(Path(each.path)) == each.digest for each in self.files)


def imported_files() -> dict[Path, Path]:
    """The files of the modules that are the user's own, each with the folder on `sys.path`."""
    found: dict[Path, Path] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or name == "__main__" or not is_own(path := Path(file).absolute()):
            continue
        place = Path(*name.split("."))
        place = place / path.name if path.stem == "__init__" else place.with_suffix(path.suffix)
        if path.parts[-len(place.parts) :] == place.parts:
            found[path] = path.parents[len(place.parts) - 1]
    return found


def sources_of(project: str, module: ModuleType, name: str, read: Iterable[Path]) -> Sources:
    """The files of a project that has just been imported, and of those that were `read`, its own.

    Modules that lie beside imported ones belong to it: they may be imported later.
    """
    imported = imported_files()
    roots = sorted(set(imported.values()))
    places = {file: root for file, root in imported.items() if file.suffix == ".py"}
    for folder, root in {file.parent: root for file, root in imported.items()}.items():
        beside = [file for file in folder.glob("*.py") if file not in places and is_code(file)]
        places |= dict.fromkeys(beside, root)
    for file in read:
        root = next((each for each in reversed(roots) if file.is_relative_to(each)), None)
        if root is not None and file not in places and _is_part(file, root):
            places[file] = root
    files = [
        SourceFile(str(path), roots.index(root), path.relative_to(root).as_posix(), digest)
        for path, root in sorted(places.items())
        if (digest := _digest_at(path)) is not None
    ]
    return Sources(project, module.__name__, name, tuple(map(str, roots)), tuple(files))


_FOREIGN = (
    Path(__file__).parents[1],
    *(Path(sysconfig.get_path(each)) for each in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def is_own(path: Path) -> bool:
    """Whether a file is the user's, and neither Python's, a package's nor ours."""
    return not any(path.is_relative_to(each) for each in _FOREIGN) and not (
        {"site-packages", "dist-packages"} & set(path.parts)
    )


def is_code(path: Path) -> bool:
    """Whether a file is a module, and no test."""
    is_test = path.match("test_*.py") or path.match("*_test.py") or path.name == "conftest.py"
    return path.suffix == ".py" and not is_test


def _is_part(file: Path, root: Path) -> bool:
    """Whether a file that was read at import is one to copy."""
    below = file.relative_to(root).parts
    is_hidden = any(part.startswith((".", "__pycache__")) for part in below)
    return is_own(file) and not is_hidden and file.is_file() and file.stat().st_size <= _LARGEST


def _digest_at(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def digests_in(folders: Iterable[Path]) -> dict[str, str | None]:
    """The digests of all modules in these folders, and the names of what else is there."""
    there = [path for each in folders if each.is_dir() for path in each.iterdir()]
    return {str(path): _digest_at(path) if is_code(path) else None for path in there}


# --- copies ---


def copy(sources: Sources, folder: Path) -> bool:
    """Copy the modules below `folder`, where they are found by the `code` of the sources.

    Returns whether all files still were what they are said to be.
    """
    made = folder / sources.code
    if made.exists() and read_copy(folder, sources.code) is None:
        shutil.rmtree(made)
    if not made.exists():
        copying = folder / f".{sources.code}.{os.getpid()}"
        try:
            if not _copy_files(sources, copying):
                return False
            (copying / _MANIFEST).write_text(json.dumps(asdict(sources)), "utf-8")
            copying.rename(made)
        finally:
            shutil.rmtree(copying, ignore_errors=True)
    return True


def mark_loaded(folder: Path, code: str) -> None:
    """What is executed now is this code."""
    (mark := folder / code / _LOADED).touch()
    now = time.time_ns()  # finer than the clock of the file system
    os.utime(mark, ns=(now, now))


def _copy_files(sources: Sources, to: Path) -> bool:
    for each in sources.modules:
        copied = to / str(each.root) / each.place
        copied.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(each.path, copied)
        except FileNotFoundError:
            return False
        if _digest_at(copied) != each.digest:
            return False
    return sources.are_as_read()


def read_copy(folder: Path, code: str) -> Sources | None:
    """What a copy is of; None if it is not there, or not as it was made."""
    try:
        read = json.loads((folder / code / _MANIFEST).read_text("utf-8"))
        files = tuple(SourceFile(**each) for each in read.pop("files"))
        sources = Sources(**read | {"roots": tuple(read["roots"]), "files": files})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    copied = folder / code
    is_whole = all(
        _digest_at(copied / str(each.root) / each.place) == each.digest for each in sources.modules
    )
    return sources if is_whole and sources.code == code else None


def last_loaded(folder: Path) -> dict[str, str]:
    """By project, the code that was executed last: one that was only looked at does not count."""
    marks = sorted(folder.glob(f"*/{_LOADED}"), key=lambda path: path.stat().st_mtime_ns)
    read = {path.parent.name: read_copy(folder, path.parent.name) for path in marks}
    return {sources.project: code for code, sources in read.items() if sources is not None}


def remove_copies(folder: Path, *, but: Set[str]) -> None:
    """Remove what nobody needs any more."""
    for made in folder.iterdir() if folder.is_dir() else ():
        if made.name not in but:
            shutil.rmtree(made, ignore_errors=True)


def import_from_copy(folder: Path, sources: Sources) -> Path:
    """Let modules be loaded from a copy, as if from the files that it is of.

    Returns the folder to import the project's module from.
    """
    copied = folder / sources.code
    load_from_copies(
        {Path(each.path): copied / str(each.root) / each.place for each in sources.modules}
    )
    sys.path[:0] = [each for each in sources.roots if each not in sys.path]
    own = next(each for each in sources.modules if _module_of(each.place) == sources.module)
    return Path(sources.roots[own.root])


def _module_of(place: str) -> str:
    parts = Path(place).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
