"""Definitions that are wrong. They are raised where they stand, unless somebody keeps them all."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from lampwork.errors import ProjectError

__all__ = ["Fault", "Unsound", "judged", "kept", "place", "sound"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A definition that is wrong, and where it stands."""

    error: ProjectError
    file: str
    line: int


class Unsound:
    """What a wrong definition left behind, so that the code behind it can still be read."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)


_kept: ContextVar[list[Fault] | None] = ContextVar("kept", default=None)


@contextmanager
def kept() -> Generator[list[Fault]]:
    """Keep what is wrong with definitions, instead of stopping at the first: for `check`."""
    faults: list[Fault] = []
    token = _kept.set(faults)
    try:
        yield faults
    finally:
        _kept.reset(token)


@contextmanager
def judged(fn: Callable[..., Any] | None = None) -> Generator[None]:
    """What is wrong with a definition, of `fn` or on the caller's line, is raised, or kept."""
    try:
        yield
    except ProjectError as error:
        file, line = _place(fn)
        faults = _kept.get()
        if faults is None:
            _name_place(error, file, line)
            raise
        faults.append(Fault(error, file, line))


def place() -> str:
    """The line of the user's code that we are called from: `project.py:12`."""
    file, line = _place(None)
    return f"{file}:{line}"


def _name_place(error: ProjectError, file: str, line: int) -> None:
    """Let an error begin with its place, unless it names it already."""
    if file and f"{file}:{line}" not in error.message:
        error.message = f"{file}:{line}: {error.message}"
        error.args = (error.message,)


def sound(given: Iterable[Any]) -> list[Any]:
    """Those that are not left behind by wrong definitions."""
    return [each for each in given if not isinstance(each, Unsound)]


_OURS = Path(__file__).parent


def _place(fn: Callable[..., Any] | None) -> tuple[str, int]:
    """Where a function stands; without one, the line of the user's code that we are called from."""
    code: CodeType | None = getattr(inspect.unwrap(fn), "__code__", None) if fn else None
    if code is not None:
        return code.co_filename, code.co_firstlineno
    frame = inspect.currentframe()
    while frame is not None and _is_ours(frame.f_code):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("", 0)


def _is_ours(code: CodeType) -> bool:
    file = code.co_filename
    made = (file, code.co_name) == ("<string>", "__init__")  # by a dataclass
    return made or _OURS in Path(file).parents or file == contextlib.__file__
