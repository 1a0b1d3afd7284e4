"""Modules that are loaded from copies of their files, as if from where those were.

What they name by `__file__`, and open beside it, is the project's own folder, as it is now.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import decode_source, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType


def load_from_copies(copies: Mapping[Path, Path]) -> None:
    """From now on, load these modules (their files, absolute) from the copies of them."""
    folders = {folder for file in copies for folder in file.parents}

    def finder(entry: str) -> _Finder:
        if Path(entry).absolute() not in folders:
            raise ImportError(entry)
        return _Finder(entry, copies)

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()


class _Finder(FileFinder):
    """Finds in a folder what was there, and then what else is there now."""

    def __init__(self, folder: str, copies: Mapping[Path, Path]) -> None:
        super().__init__(
            folder,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (SourceFileLoader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )
        self._folder = Path(folder).absolute()
        self._copies = copies

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        name = fullname.rpartition(".")[2]
        package = self._folder / name
        for file, below in (
            (package / "__init__.py", [str(package)]),
            (self._folder / f"{name}.py", None),
        ):
            if (copy := self._copies.get(file)) is not None:
                loader = _Loader(fullname, str(file), copy)
                return spec_from_file_location(
                    fullname, file, loader=loader, submodule_search_locations=below
                )
        if any(package in file.parents for file in self._copies):  # a package without __init__.py
            found = ModuleSpec(fullname, None, is_package=True)
            found.submodule_search_locations = [str(package)]
            return found
        return super().find_spec(fullname, target)


class _Loader(SourceFileLoader):
    """Loads a module from the copy of its file; bytecode is of today, and left alone."""

    def __init__(self, fullname: str, path: str, copy: Path) -> None:
        super().__init__(fullname, path)
        self._copy = copy

    def get_data(self, path: str) -> bytes:
        return self._copy.read_bytes() if path == self.path else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType | None:
        source = self.get_data(self.path)
        # For tracebacks, without a time: so it is not looked for in the file of today.
        lines = decode_source(source).splitlines(keepends=True)
        linecache.cache[self.path] = (len(source), None, lines, self.path)
        return self.source_to_code(source, self.path)
