"""A JSON Schema as the judge of a value, and as something to look names up in."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pydantic import AnyUrl, TypeAdapter
from pydantic_core import ValidationError

from lampwork.genies.bounded_schema import (
    PatternNotLinear,
    TooManySteps,
    bounded,
    check_patterns,
    counting,
)
from lampwork.types import Json

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as Misfit

__all__ = ["NotASchema", "Schema", "bare", "fields_at", "wrapped"]

_STEPS = 500_000
"""Keywords of a schema that are looked at to judge a value."""

_STEPS_OF_NOTHING = 20_000
"""The same, for an empty object."""

_LONGEST = 300
"""Characters of one problem, in which a value may be quoted."""

_MOST_FORMS = 4
"""Forms of an `anyOf` of which each is said why the value does not fit it."""

_DEFINITIONS = ("$defs", "definitions")


class NotASchema(ValueError):
    """A schema that judges nothing: wrong by itself, or it refers to what is not there."""


@dataclass(frozen=True)
class Schema:
    """A JSON Schema whose references stay within it."""

    schema: dict[str, Json]

    def check(self) -> None:
        """Raises NotASchema."""
        from jsonschema.exceptions import SchemaError
        from referencing.exceptions import Unresolvable

        try:
            self._validator.check_schema(self.schema, format_checker=_formats())
            self._check_patterns()
            with counting(_STEPS_OF_NOTHING):
                self._check_references()
        except SchemaError as error:
            raise NotASchema(error.message) from error
        except Unresolvable as error:
            raise NotASchema(
                f"{str(error).splitlines()[0]}. Other documents are not followed"
            ) from error
        except RecursionError as error:
            raise NotASchema("its references lead back to themselves") from error
        except (TooManySteps, PatternNotLinear) as error:
            raise NotASchema(str(error)) from error

    def _check_references(self) -> None:
        """Resolve them, and follow a circle of references that never comes to a value."""
        for keyword, reference in _found(self.schema, "$ref", "$dynamicRef"):
            if isinstance(reference, str):
                next(self._validator.evolve(schema={keyword: reference}).iter_errors({}), None)
        next(self._validator.iter_errors({}), None)

    def _check_patterns(self) -> None:
        """Raise PatternNotLinear, NotASchema."""
        patterns = {each for _, each in _found(self.schema, "pattern") if isinstance(each, str)}
        by_pattern = [each for _, each in _found(self.schema, "patternProperties")]
        for each in by_pattern:
            patterns |= cast(dict[str, Json], each).keys() if isinstance(each, dict) else set()
        check_patterns(patterns)
        if by_pattern and any(_found(self.schema, "unevaluatedProperties")):
            raise NotASchema("unevaluatedProperties can't be told beside patternProperties")

    def problems(self, value: Json) -> list[str]:
        """What is wrong with a value: for each place, what was given and what is allowed."""
        try:
            with counting(_STEPS):
                found = list(self._validator.iter_errors(value))
        except TooManySteps as error:
            return [f"It can't be compared with its schema: {error}"]
        errors = sorted(found, key=lambda e: list(map(str, e.path)))
        return [phrase for error in errors for phrase in _phrases(error)]

    def unknown_fields(self, value: Json) -> list[str]:
        """The fields of a value that the schema has no room for; nothing else that is wrong."""
        with counting(sys.maxsize):  # it is the schema of a type, made from code
            errors = list(self._validator.iter_errors(value))
        return [phrase for error in errors for phrase in _unknown(error)]

    @cached_property
    def _validator(self) -> Any:
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry

        kind: Any = validator_for(self.schema, default=Draft202012Validator)
        nothing: Registry[Any] = Registry()  # a `$ref` to a URL is never fetched
        return bounded(kind)(self.schema, registry=nothing, format_checker=_formats())


def wrapped(schema: dict[str, Json], key: str) -> dict[str, Json]:
    """The schema of an object whose one key holds what `schema` describes."""
    moved = {name: each for name, each in schema.items() if name not in (*_DEFINITIONS, "$schema")}
    kept = {name: schema[name] for name in _DEFINITIONS if name in schema}
    return {
        "type": "object",
        "properties": {key: _moved(moved, f"#/properties/{key}")},
        "required": [key],
        "additionalProperties": False,
        **cast(dict[str, Json], _moved(kept, f"#/properties/{key}")),
    }


def _moved(node: Json, to: str) -> Json:
    """A schema whose references into itself, but those to definitions, are to another place."""
    if isinstance(node, list):
        return [_moved(each, to) for each in cast(list[Json], node)]
    if not isinstance(node, dict):
        return node
    moved = {name: _moved(each, to) for name, each in cast(dict[str, Json], node).items()}
    reference = moved.get("$ref")
    if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
        first = reference.removeprefix("#/").split("/")[0]
        if first not in _DEFINITIONS:
            moved["$ref"] = to + reference.removeprefix("#")
    return moved


def bare(node: Json) -> Json:
    """A schema without what is said in it to people and models: it takes the same values."""
    if isinstance(node, list):
        return [bare(each) for each in cast(list[Json], node)]
    if not isinstance(node, dict):
        return node
    found: dict[str, Json] = {}
    for name, each in cast(dict[str, Json], node).items():
        if name in ("const", "enum", "default"):
            found[name] = each
        elif name == "required":
            found[name] = sorted(each)
        elif name in ("properties", "patternProperties", *_DEFINITIONS):
            found[name] = {key: bare(value) for key, value in each.items()}
        elif name not in ("title", "description", "examples", "$comment"):
            found[name] = bare(each)
    return found


def _found(node: Json, *keywords: str) -> Iterator[tuple[str, Json]]:
    """What a schema says under some keywords, wherever they are in it."""
    if isinstance(node, list):
        for each in cast(list[Json], node):
            yield from _found(each, *keywords)
    elif isinstance(node, dict):
        for name, each in cast(dict[str, Json], node).items():
            if name in keywords:
                yield name, each
            if name not in ("const", "enum", "default", "examples"):
                yield from _found(each, *keywords)


# --- what is wrong ---


def _phrases(error: Misfit) -> list[str]:
    if error.validator not in ("anyOf", "oneOf") or not error.context:
        return [_phrase(error)]
    forms = _forms(error)
    # Where one form alone is of the value's kind, the others are no help.
    likely = [form for form in forms.values() if not any(map(_is_of_another_kind, form))]
    if len(likely) == 1:
        return [phrase for each in likely[0] for phrase in _phrases(each)]
    return [
        f"{phrase} (as form {number} of {len(forms)})"
        for number, form in list(enumerate(forms.values(), start=1))[:_MOST_FORMS]
        for each in form
        for phrase in _phrases(each)
    ]


def _forms(error: Misfit) -> dict[Any, list[Misfit]]:
    """What is wrong with the value, by each form that it might have had."""
    forms: dict[Any, list[Misfit]] = {}
    for each in error.context or ():
        forms.setdefault(each.relative_schema_path[0], []).append(each)
    return forms


def _is_of_another_kind(error: Misfit) -> bool:
    """Whether it is not of the type, or a field by which forms are told apart says another one."""
    depth = len(error.relative_path)
    return (depth == 0 and error.validator == "type") or (depth <= 1 and error.validator == "const")


def _unknown(error: Misfit) -> list[str]:
    if error.validator == "additionalProperties":
        return [_phrase(error)]
    if not error.context:
        return []
    # The form that was meant is the one with which the least is wrong beside unknown fields.
    forms = [
        ([phrase for each in form for phrase in _unknown(each)], form)
        for form in _forms(error).values()
    ]
    unknown, _ = min(forms, key=lambda each: sum(not _unknown(error) for error in each[1]))
    return unknown


def _phrase(error: Misfit) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    message = str(error.message)
    if error.validator == "additionalProperties":
        properties: dict[str, Json] = cast(dict[str, Any], error.schema).get("properties", {})
        message += f"; allowed are: {', '.join(properties) or 'none'}"
    if len(message) > _LONGEST:
        half = _LONGEST // 2
        message = f"{message[:half]} … {message[-half:]}"
    return f"{where}: {message}" if where else message


# --- formats: those that JSON Schema names and that something here can tell ---

_RFC3339_TIME = r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
_DATE_TIME = re.compile(rf"\d{{4}}-\d\d-\d\d[Tt ]{_RFC3339_TIME}")
_TIME = re.compile(_RFC3339_TIME)
_DURATION = re.compile(r"P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)")


def _formats() -> Any:
    from jsonschema import FormatChecker

    checker = FormatChecker()
    checker.checks("date-time", ValueError)(_is_date_time)
    checker.checks("time", ValueError)(_is_time)
    checker.checks("duration")(_is_duration)
    checker.checks("uri", ValidationError)(_is_uri)
    return checker


def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or bool(
        _DATE_TIME.fullmatch(value) and datetime.fromisoformat(value.upper())
    )


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(
        _TIME.fullmatch(value) and time.fromisoformat(value.upper())
    )


def _is_duration(value: object) -> bool:
    return not isinstance(value, str) or _DURATION.fullmatch(value) is not None


def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(_URI.validate_python(value))


_URI: TypeAdapter[AnyUrl] = TypeAdapter(AnyUrl)


# --- looking names up ---


def fields_at(schema: dict[str, Json], path: Sequence[str | int]) -> list[str]:
    """The fields of the object at a place, as pydantic names places; none if it is not found."""
    node = _resolved(schema, schema)
    for part in path:
        node = _resolved(schema, _step(node, part))
    return list(cast(dict[str, Json], node.get("properties", {})))


def _step(node: dict[str, Json], part: str | int) -> Json:
    properties: dict[Any, Json] = node.get("properties", {})
    if part in properties:
        return properties[part]
    mapping: dict[Any, str] = node.get("discriminator", {}).get("mapping", {})
    if part in mapping:
        return {"$ref": mapping[part]}
    for form in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        if part in (form.get("title"), form.get("$ref", "").rpartition("/")[2]):
            return form
    return node.get("items" if isinstance(part, int) else "additionalProperties")


def _resolved(root: dict[str, Json], node: Json) -> dict[str, Json]:
    """What a node says in the end: not a reference, nor this or null."""
    if not isinstance(node, dict):
        return {}
    found = cast(dict[str, Json], node)
    reference, forms = found.get("$ref", ""), found.get("anyOf", [])
    if reference.startswith("#/$defs/"):
        return root.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
    if len(forms) == 2 and {"type": "null"} in forms:
        return _resolved(root, next(form for form in forms if form != {"type": "null"}))
    return found
