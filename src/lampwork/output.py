"""What a task's answer must look like: described to the model, checked, and read back typed."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticCustomError, SchemaError, from_json

from lampwork import importable
from lampwork.contract import problems_of
from lampwork.errors import NotImportable, OutputInvalid, OutputTypeInvalid
from lampwork.types import Json

__all__ = ["Output", "describe", "read_type", "write_type"]

_BY_NAME = "python_type"

_WRAPPER = "answer"
"""The one key of an answer that is no object by itself: models can only give objects."""


class _Checker(Protocol):
    def problems(self, value: Json) -> tuple[Json, list[str]]:
        """The value as it is recorded, and what is wrong with it."""
        ...

    def decode(self, recorded: Json) -> Any:
        """The typed value of a recorded one."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """A described output type."""

    schema: dict[str, Json]
    """JSON Schema of the answer itself."""
    parameters: dict[str, Json]
    """JSON Schema of what the model fills in."""
    wrapped: bool
    checker: _Checker
    annotation: Any = None
    """The type it was made of; None for a JSON Schema."""

    def read(self, given: dict[str, Json] | str | None) -> tuple[Json, list[str]]:
        """An answer as it is recorded, and what is wrong with it: phrases for the model."""
        if isinstance(given, str):
            try:
                given = from_json(given, allow_inf_nan=False)
            except ValueError as error:
                return None, [f"The answer is not JSON: {error}"]
        value: Json = given
        if self.wrapped:
            if not isinstance(given, dict) or given.keys() != {_WRAPPER}:
                return None, [f'Give the answer as an object with the one key "{_WRAPPER}"']
            value = given[_WRAPPER]
        return self.checker.problems(value)

    def decode(self, recorded: Json) -> Any:
        """The typed answer, from its record. Raises OutputInvalid when the type has changed."""
        return self.checker.decode(recorded)


def describe(output: Any) -> Output | None:
    """The output of `output=`: None is plain text; a dict is a JSON Schema; else a type.

    Raises OutputTypeInvalid when it can't be described to a model.
    """
    if output is None:
        return None
    if isinstance(output, Output):
        return output
    if isinstance(output, dict):
        return _from_json_schema(cast(dict[str, Json], output))
    try:
        return _from_type(output)
    except TypeError:  # an annotation that can't be hashed
        return _new_from_type(output)


def write_type(output: Output | None) -> Json:
    """An output type as JSON: by its name where it can be found again, else its schema."""
    if output is None:
        return None
    try:
        return {_BY_NAME: importable.name_of(output.annotation)}
    except NotImportable:
        return output.schema


def read_type(written: Json) -> Any:
    """The type that `write_type` wrote. Raises NotImportable."""
    named = cast(dict[str, str], written) if isinstance(written, dict) else {}
    return importable.load(named[_BY_NAME]) if _BY_NAME in named else cast(Json, written)


# --- python types ---


@dataclass(frozen=True, slots=True, eq=False)
class _Typed:
    adapter: TypeAdapter[Any]
    closed: dict[str, Json] | None
    """The schema, for types that allow unknown fields in some of their parts only."""

    def problems(self, value: Json) -> tuple[Json, list[str]]:
        try:
            read = self._validate(value)
        except ValidationError as error:
            return value, problems_of(error)
        if self.closed is not None and (unknown := _unknown_fields(self.closed, value)):
            return value, unknown
        recorded = self.adapter.dump_json(read, by_alias=True, round_trip=True)
        return json.loads(recorded), []

    def decode(self, recorded: Json) -> Any:
        try:
            return self._validate(recorded)
        except ValidationError as error:
            problems = problems_of(error)
            raise OutputInvalid(
                f"The recorded answer does not fit its type: {'; '.join(problems)}. "
                "It was checked against another version of it, or against its JSON Schema alone.",
                attempt=recorded,
                problems=problems,
            ) from error

    def _validate(self, value: Json) -> Any:
        extra = "forbid" if self.closed is None else None
        return self.adapter.validate_json(json.dumps(value), extra=extra)


def _new_from_type(annotation: Any) -> Output:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        schema = adapter.json_schema(by_alias=True)
    except (PydanticUserError, PydanticCustomError, SchemaError, TypeError, ValueError) as error:
        raise OutputTypeInvalid(
            f"output={annotation!r} can't be described to a model: "
            f"{str(error).splitlines()[0].rstrip('.')}. "
            "Use a pydantic model, a dataclass, a TypedDict, a Literal or a JSON Schema."
        ) from error
    somewhere_open = _close(schema)
    checker = _Typed(adapter, schema if somewhere_open else None)
    return replace(_output(schema, checker), annotation=annotation)


_from_type = functools.lru_cache(maxsize=1024)(_new_from_type)


def _close(schema: Json) -> bool:
    """Say of each object that it takes no unknown fields, unless its type allows them.

    Returns whether some type allows them.
    """
    if isinstance(schema, list):
        return sum(map(_close, cast(list[Json], schema))) > 0
    if not isinstance(schema, dict):
        return False
    node = cast(dict[str, Json], schema)
    somewhere_open = sum(map(_close, node.values())) > 0  # a sum looks at all of them
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        somewhere_open |= node.setdefault("additionalProperties", False) is not False
    return somewhere_open


# --- JSON Schema ---


@dataclass(frozen=True, slots=True, eq=False)
class _Schema:
    schema: dict[str, Json]

    def problems(self, value: Json) -> tuple[Json, list[str]]:
        errors = sorted(_validator(self.schema).iter_errors(value), key=lambda e: list(e.path))
        return value, [_sentence(error) for error in errors]

    def decode(self, recorded: Json) -> Any:
        return recorded


def _from_json_schema(schema: dict[str, Json]) -> Output:
    from jsonschema.exceptions import SchemaError as WrongSchema
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable

    try:
        validator_for(schema).check_schema(schema)
        next(iter(_validator(schema).iter_errors({})), None)
    except (WrongSchema, Unresolvable) as error:
        raise OutputTypeInvalid(
            f"output= is no usable JSON Schema: {str(error).splitlines()[0]}. "
            "References to other documents are not followed."
        ) from error
    return _output(schema, _Schema(schema))


def _validator(schema: dict[str, Json]) -> Any:
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    kind: Any = validator_for(schema, default=Draft202012Validator)
    # An empty registry: a `$ref` to a URL is never fetched.
    nothing: Registry[Any] = Registry()
    return kind(schema, registry=nothing)


def _unknown_fields(schema: dict[str, Json], value: Json) -> list[str]:
    found = _validator(schema).iter_errors(value)
    return [_sentence(error) for error in found if error.validator == "additionalProperties"]


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where}: {error.message}" if where else str(error.message)


def _output(schema: dict[str, Json], checker: _Checker) -> Output:
    if schema.get("type") == "object":
        return Output(schema, schema, False, checker)
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "$schema")}
    parameters: dict[str, Json] = {
        "type": "object",
        "properties": {_WRAPPER: inner},
        "required": [_WRAPPER],
        "additionalProperties": False,
    }
    if "$defs" in schema:
        parameters["$defs"] = schema["$defs"]
    return Output(schema, parameters, True, checker)
