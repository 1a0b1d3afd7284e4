"""Functions that are found again by name, `module:name`, after a restart and in other processes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from lampwork.errors import NotImportable


def name_of(fn: Callable[..., Any]) -> str:
    """`module:qualified.name` of a function or class, checked to lead back to it.

    Raises NotImportable for lambdas, closures and anything else that has no name of its own.
    """
    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
    path = f"{module}:{name}"
    try:
        found = load(path)
    except NotImportable:
        found = None
    if found is not fn:
        raise NotImportable(
            f"{name or fn!r} can't be found again by name, so a job could not go on with it after "
            "a restart. Define it with `def` at the top of a module and pass that."
        )
    return path


def load(path: str) -> Any:
    """What `name_of` named.

    Raises NotImportable.
    """
    module, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise NotImportable(f"{path} can't be imported: {error}") from error
    return found
