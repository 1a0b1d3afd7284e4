"""An output type as the input of a job that carries a task: by names, where these lead back to it.

A type without names of its own is written as its JSON Schema; then the job checks answers by that.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Literal, Union, cast, get_args, get_origin

from lampwork import importable
from lampwork.errors import NotImportable
from lampwork.genies.output import Output
from lampwork.types import Json

__all__ = ["read_type", "write_type"]

_UNION = "typing:Union"
_LITERAL = "typing:Literal"


def write_type(output: Output | None) -> Json:
    """An output type as JSON."""
    if output is None:
        return None
    if output.annotation is None:
        return {"json_schema": output.schema}
    try:
        return {"python_type": _write(output.annotation)}
    except NotImportable:
        return {"json_schema": output.schema}


def read_type(written: Json) -> Any:
    """The type, or JSON Schema, that `write_type` wrote. Raises NotImportable."""
    if written is None:
        return None
    if "json_schema" in written:
        return written["json_schema"]
    return _read(written["python_type"])


def _write(annotation: Any) -> Json:
    """The name of a class; `[name, *arguments]` of a generic type, a union or a Literal."""
    if annotation in (None, types.NoneType):
        return None
    made_of: dict[str, Any] = getattr(annotation, "__pydantic_generic_metadata__", {})
    origin, arguments = get_origin(annotation), get_args(annotation)
    if made_of.get("origin") is not None:
        origin, arguments = made_of["origin"], made_of["args"]
    if origin is Literal:
        if not all(each is None or isinstance(each, str | int) for each in arguments):
            raise NotImportable(f"{annotation} is more than JSON")
        return [_LITERAL, *arguments]
    if origin is Union or origin is types.UnionType:
        return [_UNION, *map(_write, arguments)]
    if origin is None:
        return importable.name_of(annotation)
    if not isinstance(origin, type):  # Annotated and the like say more than names can
        raise NotImportable(f"{annotation} has no name")
    return [importable.name_of(cast(Callable[..., Any], origin)), *map(_write, arguments)]


def _read(written: Json) -> Any:
    if written is None:
        return None
    if isinstance(written, str):
        return importable.load(written)
    name, *arguments = cast(list[Any], written)
    if name == _LITERAL:
        return cast(Any, Literal)[tuple(arguments)]
    read = tuple(map(_read, arguments))
    origin: Any = Union if name == _UNION else importable.load(name)
    return origin[read]
