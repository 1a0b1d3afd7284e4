"""Judging by a JSON Schema in bounded time, whoever wrote it.

Forms within forms, references and `unevaluatedProperties` can ask for any number of comparisons,
and so can one pattern with `re`. So keywords are counted, and patterns are matched by an engine
that takes linear time, which has neither look-around nor references back. Values are looked up
among others, as in an `enum`, and not compared with each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, cast

from pydantic_core import SchemaError, SchemaValidator, core_schema

__all__ = ["PatternNotLinear", "TooManySteps", "bounded", "check_patterns", "counting"]

_SHOWN = 100
"""Values of an `enum` that are named to who gave another one."""

_PATTERNS = 50
"""Different ones of a schema: to get one ready takes up to 70 ms."""


class TooManySteps(ValueError):
    """A schema takes more steps to judge a value than it has."""


class PatternNotLinear(ValueError):
    """A pattern can't be matched in linear time."""


@dataclass(slots=True)
class _Judging:
    """One value being judged."""

    left: int
    """Keywords that may be looked at still."""
    values: dict[int, frozenset[Hashable]] = field(default_factory=dict[int, frozenset[Hashable]])
    """Those of each `enum` that was looked at, by its identity in the schema."""


_judging: ContextVar[_Judging] = ContextVar("judging")


@contextmanager
def counting(steps: int) -> Generator[None]:
    """So many keywords are looked at inside; one more raises TooManySteps."""
    token = _judging.set(_Judging(steps))
    try:
        yield
    finally:
        _judging.reset(token)


@lru_cache(maxsize=64)  # one may take megabytes
def _compiled(pattern: str) -> SchemaValidator | None:
    matched = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    try:
        return SchemaValidator(matched)
    except SchemaError:
        return None


def check_patterns(patterns: Collection[str]) -> None:
    """Raise PatternNotLinear; and for more than can be got ready in a few seconds."""
    if len(patterns) > _PATTERNS:
        raise PatternNotLinear(f"it has {len(patterns)} patterns, and {_PATTERNS} are the most")
    for pattern in patterns:
        if _compiled(pattern) is None:
            raise PatternNotLinear(
                f"pattern {pattern[:80]!r} can't be matched in linear time: look-around, "
                "references back and thousands of repetitions can't be had in it"
            )


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; as if it were, of one that nobody has checked."""
    compiled = _compiled(pattern)
    return compiled is None or compiled.isinstance_python(text)


@cache
def bounded(kind: Any) -> Any:
    """A validator of jsonschema's, of the same dialect, whose steps are counted."""
    from jsonschema import validators

    known = dict(kind.VALIDATORS)
    own = {"pattern": _pattern, "patternProperties": _of_pattern}
    own |= {"enum": _enum, "uniqueItems": _unique}
    checks = {**known, **own}
    if "additionalProperties" in known:
        checks["additionalProperties"] = _additional(known["additionalProperties"])
    extend = cast(Callable[..., Any], validators.extend)  # pyright: ignore[reportUnknownMemberType]
    made = extend(kind, {name: _counted(check) for name, check in checks.items()})
    # Its own would go over to another class at each `$schema`, which counts nothing.
    made.evolve = _evolve
    return made


def _counted(check: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*given: Any) -> Any:
        judging = _judging.get()
        judging.left -= 1
        if judging.left < 0:
            raise TooManySteps("it takes too long to compare anything with it")
        return check(*given)

    return counted


def _evolve(validator: Any, **changes: Any) -> Any:
    for each in validator.__attrs_attrs__:
        if each.init:
            changes.setdefault(each.alias, getattr(validator, each.name))
    return type(validator)(**changes)


def _pattern(validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if validator.is_type(value, "string") and not _matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _enum(_validator: Any, allowed: Any, value: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    known = _judging.get().values
    if id(allowed) not in known:
        known[id(allowed)] = frozenset(map(_same, allowed))
    if _same(value) not in known[id(allowed)]:
        shown = allowed if len(allowed) <= _SHOWN else [*allowed[:_SHOWN], ...]
        yield ValidationError(f"{value!r} is not one of {shown!r}")


def _unique(validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if wanted and validator.is_type(value, "array") and len(set(map(_same, value))) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _same(value: Any) -> Hashable:
    """The same for what is equal by JSON Schema: 1 is 1.0, and is not true."""
    match value:
        case dict():
            fields = cast(dict[str, Any], value).items()
            return "object", frozenset((name, _same(each)) for name, each in fields)
        case list():
            return "array", tuple(map(_same, cast(list[Any], value)))
        case bool() | None | str():
            return type(value), value
        case _:
            return "number", value


def _of_pattern(validator: Any, patterns: Any, value: Any, _schema: Any) -> Iterator[Any]:
    if not validator.is_type(value, "object"):
        return
    for pattern, schema in cast(dict[str, Any], patterns).items():
        for name, each in value.items():
            if _matches(pattern, name):
                yield from validator.descend(each, schema, path=name, schema_path=pattern)


def _additional(plain: Callable[..., Any]) -> Callable[..., Any]:
    """As jsonschema's, which would match the patterns beside it with `re`."""

    def additional(validator: Any, allowed: Any, value: Any, schema: dict[str, Any]) -> Any:
        patterns = cast(dict[str, Any], schema.get("patternProperties", {}))
        if not patterns or not validator.is_type(value, "object"):
            return plain(validator, allowed, value, schema)
        rest = {
            name: each
            for name, each in value.items()
            if not any(_matches(pattern, name) for pattern in patterns)
        }
        without = {name: each for name, each in schema.items() if name != "patternProperties"}
        return plain(validator, allowed, rest, without)

    return additional
