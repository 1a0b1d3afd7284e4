"""Functions that are found again after a restart: by name, `module:name`, and by what they do."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any, cast

from lampwork.errors import NotImportable


def name_of(fn: Callable[..., Any]) -> str:
    """`module:qualified.name` of a function or class, checked to lead back to it.

    Raises NotImportable for lambdas, closures and anything else that has no name of its own.
    """
    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
    path = f"{_main_name() if module == '__main__' else module}:{name}"
    try:
        found = load(path)
    except NotImportable:
        found = None
    if found is None or found is not fn:
        what = repr(fn) if name is None else f'"{name}"'
        raise NotImportable(
            f"{what} can't be found again by name, so a job could not go on with it after "
            "a restart. Define it with `def` at the top of a module and pass that."
        )
    return path


def load(path: str) -> Any:
    """What `name_of` named.

    Raises NotImportable.
    """
    module, _, name = path.partition(":")
    try:
        here = module == _main_name()
        found: Any = sys.modules["__main__"] if here else importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise NotImportable(f"{path} can't be imported: {error}") from error
    return found


def source_file(fn: Callable[..., Any]) -> str | None:
    """The file of the module that defines a function."""
    module = sys.modules.get(inspect.unwrap(fn).__module__)
    return getattr(module, "__file__", None)


def digest_of_code(fn: Callable[..., Any]) -> str:
    """A digest of a function as it is loaded, whatever its file says by now.

    Comments and lines do not count, nor does what it calls; another version of Python does.
    """
    plain: Any = inspect.unwrap(fn)
    code = getattr(plain, "__code__", None) or getattr(type(plain).__call__, "__code__", None)
    parts = [] if code is None else list(_parts(code))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _parts(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        match constant:
            case CodeType():
                yield from _parts(constant)
            case frozenset():  # in another order in each process
                yield repr(sorted(map(repr, cast(frozenset[object], constant))))
            case _:
                yield repr(constant)


def _main_name() -> str | None:
    """The name under which another process would import the script that this one runs."""
    main: Any = sys.modules.get("__main__")
    if (spec := getattr(main, "__spec__", None)) is not None:
        return spec.name
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else None
