"""What a task's answer must look like: described to the model, checked, and read back typed."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import (
    PydanticCustomError,
    PydanticSerializationError,
    SchemaError,
    from_json,
)

from lampwork.errors import OutputInvalid, OutputTypeInvalid, few, joined, quoted
from lampwork.genies.contract import problems_of
from lampwork.genies.json_schema import NotASchema, Schema, bare, wrapped
from lampwork.types import Json
from lampwork.values import unreadable

__all__ = ["Output", "describe", "identity"]

_WRAPPER = "answer"
"""The one key of an answer that is no object by itself: models can only give objects."""

_LONGEST_SCHEMA = 128 * 1024
"""Characters of a JSON Schema that somebody gives, which each request to the model holds."""


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
        return self.take(value)

    def take(self, value: Json) -> tuple[Json, list[str]]:
        """As `read`, of the answer itself."""
        if problem := _unwritable(value):
            return None, [problem]
        recorded, problems = self.checker.problems(value)
        return recorded, few(problems, len(problems))

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
    if isinstance(output, str | int | float | list):  # pydantic would evaluate a text
        given = quoted(output) if isinstance(output, str) else repr(cast(Any, output))
        raise OutputTypeInvalid(
            f"output={given} is no type. Give a type itself, or a JSON Schema as an object."
        )
    try:
        return _from_type(output)
    except TypeError:  # an annotation that can't be hashed
        return _new_from_type(output)


@functools.lru_cache(maxsize=1024)
def identity(output: Output) -> str:
    """A digest of which answers the type takes, whatever it says about them."""
    text = json.dumps(bare(output.schema), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_FINITE = "a number must be finite, not NaN or infinity"


def _unwritable(value: Json) -> str | None:
    """Why a value is no JSON, if it is none."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return "The answer has half a surrogate pair in it, which is no text"
    except ValueError:
        places = ", ".join(_not_finite(value))
        return f"{places}: {_FINITE}"
    return None


def _not_finite(value: Json, place: str = "") -> Iterator[str]:
    match value:
        case float() if value - value != 0:
            yield place or "The answer"
        case dict():
            for key, each in cast(dict[str, Json], value).items():
                yield from _not_finite(each, f"{place}.{key}" if place else key)
        case list():
            for key, each in enumerate(cast(list[Json], value)):
                yield from _not_finite(each, f"{place}.{key}" if place else str(key))
        case _:
            pass


# --- python types ---


@dataclass(frozen=True, slots=True, eq=False)
class _Typed:
    adapter: TypeAdapter[Any]
    schema: dict[str, Json]
    somewhere_open: bool
    """Whether the type allows unknown fields in some of its parts; all others are closed."""

    def problems(self, value: Json) -> tuple[Json, list[str]]:
        try:
            read = self._validate(value)
        except ValidationError as error:
            return value, problems_of(error, value, self.schema)
        except Exception as error:  # a validator of the user's
            return value, [f"It was not accepted: {type(error).__name__}: {error}"]
        if self.somewhere_open and (unknown := Schema(self.schema).unknown_fields(value)):
            return value, unknown
        return self._recorded(value, read)

    def _recorded(self, value: Json, read: Any) -> tuple[Json, list[str]]:
        """The form of a value that reads back as the same: defaults filled in, where that does."""
        try:
            dumped = self._dump(read, by_alias=True)
            if self._validate(dumped) == read:
                return dumped, []
        except (ValidationError, PydanticSerializationError):
            pass
        if places := ", ".join(_not_finite(self.adapter.dump_python(read))):
            return value, [f"{places}: {_FINITE}"]
        forms = (
            (functools.partial(self._dump, read, by_alias=True), self._validate),
            (lambda: value, self._validate),
            (functools.partial(self._dump, read, by_alias=False), self._read),
        )
        for same in (operator.eq, self._look_the_same):
            for form, read_back in forms:
                try:
                    recorded = form()
                    if same(read_back(recorded), read):
                        return recorded, []
                except (ValidationError, PydanticSerializationError):
                    continue
        return value, ["It can't be written down so that it reads back the same"]

    def _dump(self, read: Any, *, by_alias: bool) -> Json:
        return json.loads(self.adapter.dump_json(read, by_alias=by_alias, round_trip=True))

    def _look_the_same(self, one: Any, other: Any) -> bool:
        return self.adapter.dump_python(one) == self.adapter.dump_python(other)

    def decode(self, recorded: Json) -> Any:
        try:
            return self._read(recorded)
        except ValidationError as error:
            problems = problems_of(error, recorded, self.schema)
            raise OutputInvalid(
                f"The recorded answer does not fit its type: {joined(problems)} "
                "It was checked against another version of it, or against its JSON Schema alone.",
                attempt=recorded,
                problems=problems,
            ) from error

    def _validate(self, value: Json) -> Any:
        extra = None if self.somewhere_open else "forbid"
        return self.adapter.validate_json(json.dumps(value), extra=extra)

    def _read(self, recorded: Json) -> Any:
        """As `_validate`, of a recorded value: its fields may be called by name."""
        extra = None if self.somewhere_open else "forbid"
        return self.adapter.validate_json(
            json.dumps(recorded), extra=extra, by_alias=True, by_name=True
        )


def _new_from_type(annotation: Any) -> Output:
    try:
        if inspect.isroutine(annotation) or isinstance(annotation, functools.partial):
            raise TypeError("it is a function")
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        if (why := unreadable(adapter.core_schema)) is not None:
            raise TypeError(why)
        schema = adapter.json_schema(by_alias=True)
    except (
        PydanticUserError,
        PydanticCustomError,
        SchemaError,
        NameError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise OutputTypeInvalid(
            f"output={annotation!r} can't be described to a model: "
            f"{str(error).splitlines()[0].rstrip('.')}. "
            "Use a pydantic model, a dataclass, a TypedDict, a Literal or a JSON Schema."
        ) from error
    checker = _Typed(adapter, schema, somewhere_open=_close(schema))
    return _output(schema, checker, annotation)


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
class _Described:
    schema: Schema

    def problems(self, value: Json) -> tuple[Json, list[str]]:
        return value, self.schema.problems(value)

    def decode(self, recorded: Json) -> Any:
        return recorded


def _from_json_schema(given: dict[str, Json]) -> Output:
    schema = Schema(given)
    try:
        if (length := len(json.dumps(given))) > _LONGEST_SCHEMA:
            raise NotASchema(f"it has {length:,} characters, and {_LONGEST_SCHEMA:,} is the most")
        schema.check()
    except (NotASchema, TypeError, ValueError) as error:
        raise OutputTypeInvalid(f"output= is no usable JSON Schema: {error}.") from error
    return _output(given, _Described(schema), None)


def _output(schema: dict[str, Json], checker: _Checker, annotation: Any) -> Output:
    if schema.get("type") == "object":
        return Output(schema, schema, False, checker, annotation)
    return Output(schema, wrapped(schema, _WRAPPER), True, checker, annotation)
