"""What a trigger brings, as the input of its recipe."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from typing_extensions import is_typeddict

from lampwork import values
from lampwork.errors import InputInvalid, joined, one_of
from lampwork.recipe import Recipe, check_input, parameters
from lampwork.triggers.endpoint import Endpoint
from lampwork.types import Json

__all__ = ["of_body", "of_call", "parameters_of_body"]


def of_body(recipe: Recipe[..., Any], what: str, value: Json) -> Json:
    """The input of a recipe from an item or a body: its only parameter, or several by name.

    Raises InputInvalid; `what` is what is given, as in "an item".
    """
    takes = list(parameters(recipe.fn).parameters)
    if len(takes) == 1:
        given = {takes[0]: value}
    elif isinstance(value, dict):
        fields = cast(dict[str, Json], value)
        given = {name: fields[name] for name in takes if name in fields}
    elif not takes:
        given = {}
    else:
        raise InputInvalid(f"{what} is no object with {', '.join(takes)}")
    return check_input(recipe.fn, given)


def of_call(
    recipe: Recipe[..., Any],
    endpoint: Endpoint,
    path: Mapping[str, str],
    query: Mapping[str, str],
    body: Json,
) -> Json:
    """The input of a recipe from a call of its endpoint. Raises InputInvalid, naming each field."""
    types = values.parameter_types(recipe.fn)
    in_body = parameters_of_body(recipe, endpoint)
    takes = parameters(recipe.fn).parameters
    asked = [name for name in takes if name not in (*in_body, *endpoint.names)]
    given: dict[str, Json] = {}
    problems = [
        f"{name}: there is no such query parameter. {one_of(name, asked)}"
        for name in query
        if name not in asked
    ]
    for name, text in (*query.items(), *path.items()):
        if name not in takes or name in in_body:
            continue
        try:
            given[name] = _from_text(text, types.get(name, Any))
        except ValidationError as error:
            problems += [f"{name}: {each['msg']}" for each in error.errors()]
    if problems:
        raise InputInvalid(
            f"The call of {recipe.name} does not fit: {joined(problems)}",
            problems=problems,
        )
    if len(in_body) == 1:
        given |= {} if body is None else {in_body[0]: body}
    elif in_body:
        if body is not None and not isinstance(body, dict):
            raise InputInvalid(f"The body is no object with {', '.join(in_body)}.")
        fields = cast(dict[str, Json], body or {})
        given |= {name: fields[name] for name in in_body if name in fields}
    return check_input(recipe.fn, given)


def parameters_of_body(recipe: Recipe[..., Any], endpoint: Endpoint) -> Sequence[str]:
    """The parameters that come from the body: neither in the path nor plain, as FastAPI has it."""
    types = values.parameter_types(recipe.fn)
    return [
        name
        for name in parameters(recipe.fn).parameters
        if name not in endpoint.names and _is_structured(types.get(name, Any))
    ]


def _from_text(text: str, annotation: Any) -> Json:
    """A value from a path or a query, as JSON. Raises ValidationError."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    value = adapter.validate_python(text)
    try:
        return adapter.dump_python(value, mode="json")
    except PydanticSerializationError:
        return text


def _is_structured(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_structured(each) for each in get_args(annotation))
    kind = get_origin(annotation) or annotation
    if dataclasses.is_dataclass(kind) or is_typeddict(kind):
        return True
    structured = (BaseModel, Mapping, Sequence, set, frozenset)
    return inspect.isclass(kind) and issubclass(kind, structured) and kind not in (str, bytes)
