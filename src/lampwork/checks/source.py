"""The source of a project: its files, the functions in them, and what their comments allow."""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import lampwork
from lampwork.importable import source_file

if TYPE_CHECKING:
    from lampwork.checks.finding import Finding
    from lampwork.project import Project

__all__ = ["Def", "File", "Sources", "called", "place"]

Def = ast.FunctionDef | ast.AsyncFunctionDef

_ALLOW = re.compile(r"#\s*lampwork:\s*allow\s+([\w, ]+)")

_OURS = Path(lampwork.__file__).parent


class File:
    """One source file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = path.read_bytes()

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self._content)

    def text(self, first: int, last: int) -> str:
        """Some of its lines."""
        lines = self._content.decode("utf-8", "replace").splitlines()
        return "\n".join(lines[first - 1 : last])

    @cached_property
    def functions(self) -> dict[tuple[str, int], Def]:
        """Its functions by name and first line, which is that of the first decorator."""
        return {
            (node.name, min(each.lineno for each in (*node.decorator_list, node))): node
            for node in ast.walk(self.tree)
            if isinstance(node, Def)
        }

    @cached_property
    def allowed(self) -> dict[int, set[str]]:
        """The codes that comments allow, by line; a comment alone on its line is for the next."""
        found: dict[int, set[str]] = {}
        for token in tokenize.tokenize(io.BytesIO(self._content).readline):
            if token.type == tokenize.COMMENT and (match := _ALLOW.search(token.string)):
                alone = token.line.lstrip().startswith("#")
                codes = set(re.split(r"[,\s]+", match[1].strip()))
                found.setdefault(token.start[0] + alone, set()).update(codes)
        return found


class Sources:
    """The files of a project: those of its definitions, and those beside and below them that are
    imported. What is installed, and Lampwork itself, is nobody's project."""

    def __init__(self, project: Project) -> None:
        defined: list[Callable[..., Any]] = [
            *(recipe.fn for recipe in project.recipes.values()),
            *(skill.fn for skill in project.skills.values()),
            *(base.search for base in project.knowledge_bases.values()),
        ]
        modules = {
            Path(file): module
            for module in list(sys.modules.values())
            if (file := getattr(module, "__file__", None)) is not None
        }
        own = {Path(file) for file in map(source_file, defined) if file is not None}
        own |= {file for file, module in modules.items() if _holds(module, project)}
        self._modules = {file: module.__name__ for file, module in modules.items()}
        self._folders = {file.parent for file in own}
        self._files: dict[Path, File] = {}
        for file in sorted(own | modules.keys()):
            self._file(file)

    def __iter__(self) -> Iterator[File]:
        return iter(list(self._files.values()))

    def definition(self, fn: Callable[..., Any]) -> tuple[Def, File] | None:
        """Where a function of the project is written; None for a lambda, or one of others."""
        plain = inspect.unwrap(fn)
        code = getattr(plain, "__code__", None)
        if code is None or (file := self._file(Path(code.co_filename))) is None:
            return None
        node = file.functions.get((code.co_name, code.co_firstlineno))
        return None if node is None else (node, file)

    def calls_of(self, name: str) -> Iterator[tuple[ast.Call, File]]:
        """Every call of something with that name, in all files."""
        for file in self:
            for node in ast.walk(file.tree):
                if isinstance(node, ast.Call) and called(node) == name:
                    yield node, file

    def below(self, path: Path) -> str:
        """A file's name below the folder that its module was imported from."""
        depth = self._modules.get(path, "").count(".") + (path.name == "__init__.py")
        return "/".join(path.parts[-1 - depth :])

    def allow(self, finding: Finding) -> bool:
        """Whether a comment on its line says that it is meant so."""
        if finding.file is None or finding.line is None:
            return False
        file = self._file(Path(finding.file))
        return file is not None and finding.code in file.allowed.get(finding.line, ())

    def _file(self, path: Path) -> File | None:
        if path not in self._files and self._is_own(path):
            self._files[path] = File(path)
        return self._files.get(path)

    def _is_own(self, path: Path) -> bool:
        return (
            path.suffix == ".py"
            and path.is_file()
            and "site-packages" not in path.parts
            and _OURS not in path.parents
            and not self._folders.isdisjoint(path.parents)
        )


def _holds(module: ModuleType, project: Project) -> bool:
    return any(each is project for each in list(vars(module).values()))


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def place(fn: Callable[..., Any]) -> dict[str, Any]:
    """Where a function stands, as the fields of a Finding."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        return {}
    return {"file": code.co_filename, "line": code.co_firstlineno}
