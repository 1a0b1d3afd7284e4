"""Task metadata: the values that reach skills from the task's record, never from the model.

A skill declares a key by annotating a parameter `Metadata[T]`. The parameter is in no schema; its
value is filled in from what the task was assigned with, whatever the model says.

    async def approve_invoice(note: str, invoice_id: Metadata[str]) -> Receipt: ...
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from lampwork.errors import MetadataInvalid, MetadataUnknown
from lampwork.types import Json

__all__ = [
    "Declares",
    "Key",
    "Metadata",
    "declared_by",
    "from_texts",
    "inject",
    "is_metadata",
    "mentions_metadata",
    "record",
    "withheld",
]

T = TypeVar("T")


class _FromTask:
    """The mark of a parameter that the task fills in."""

    def __repr__(self) -> str:
        return "from the task's metadata"


_FROM_TASK = _FromTask()

Metadata = Annotated[T, _FROM_TASK]
"""`Metadata[str]` is a `str` to the skill's body and to type checkers."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One metadata key that a skill declares."""

    name: str
    adapter: TypeAdapter[Any]
    required: bool

    def problem(self, value: Json) -> str | None:
        """What is wrong with a recorded value, None when it fits."""
        try:
            self.read(value)
        except ValidationError as error:
            return "; ".join(_problem(found) for found in error.errors(include_url=False))
        return None

    def read(self, value: Json) -> Any:
        """The value as the skill's body gets it, from its JSON. Raises ValidationError."""
        # Strict: the skill gets exactly what was assigned, so "7" is no int and 7 no str.
        return self.adapter.validate_json(json.dumps(value), strict=True)


class Declares(Protocol):
    """Anything with a name and metadata keys: a skill."""

    @property
    def name(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Key]: ...


def is_metadata(annotation: Any) -> bool:
    """Whether a resolved annotation is `Metadata[…]`."""
    return get_origin(annotation) is Annotated and _FROM_TASK in get_args(annotation)[1:]


def mentions_metadata(annotation: Any) -> bool:
    """Whether `Metadata[…]` is anywhere inside an annotation, as in `Metadata[str] | None`."""
    return is_metadata(annotation) or any(map(mentions_metadata, get_args(annotation)))


def declared_by(skills: Iterable[Declares]) -> dict[str, list[tuple[str, Key]]]:
    """Every declared key with the skills that read it."""
    declared: dict[str, list[tuple[str, Key]]] = {}
    for skill in skills:
        for key in skill.metadata.values():
            declared.setdefault(key.name, []).append((skill.name, key))
    return declared


def record(
    declared: Mapping[str, list[tuple[str, Key]]], given: Mapping[str, Any] | None, *, genie: str
) -> dict[str, Json]:
    """The metadata as it is recorded with the task: JSON that fits every skill that declares it.

    Raises MetadataUnknown, MetadataInvalid.
    """
    recorded: dict[str, Json] = {}
    for name, value in (given or {}).items():
        if name not in declared:
            raise _unknown(name, sorted(declared), genie)
        recorded[name] = value = _as_json(name, value)
        for skill, key in declared[name]:
            if problem := key.problem(value):
                raise MetadataInvalid(
                    f'Metadata "{name}" does not fit what skill "{skill}" declares: {problem}. '
                    "Pass a value of that type.",
                    key=name,
                    skill=skill,
                    problems=[problem],
                )
    return recorded


def from_texts(
    declared: Mapping[str, list[tuple[str, Key]]], texts: Mapping[str, str]
) -> dict[str, Json]:
    """Metadata given as texts, as on a command line: a text where a text fits, else its JSON."""
    read: dict[str, Json] = {}
    for name, text in texts.items():
        read[name] = text
        if any(key.problem(text) for _, key in declared.get(name, ())):
            try:
                read[name] = json.loads(text)
            except ValueError:
                continue  # `record` will name the problem
    return read


def withheld(skills: Iterable[Declares], metadata: Mapping[str, Json]) -> dict[str, str]:
    """The skills that the task can't use, each with the reason for people."""
    reasons: dict[str, str] = {}
    for skill in skills:
        lacking = [k.name for k in skill.metadata.values() if k.required and k.name not in metadata]
        if lacking:
            keys = ", ".join(f'"{name}"' for name in lacking)
            reasons[skill.name] = f"the task has no metadata {keys}"
    return reasons


def inject(keys: Mapping[str, Key], metadata: Mapping[str, Json]) -> dict[str, Any]:
    """The metadata arguments of one call; a key that the task lacks keeps the body's default."""
    return {name: key.read(metadata[name]) for name, key in keys.items() if name in metadata}


def _unknown(name: str, known: list[str], genie: str) -> MetadataUnknown:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        mend = f'Did you mean "{close[0]}"?'
    elif known:
        mend = "Declared are: " + ", ".join(known) + "."
    else:
        mend = "None of its skills declares any; annotate a parameter Metadata[…], or drop the key."
    return MetadataUnknown(
        f'No skill of genie "{genie}" declares metadata "{name}". {mend}', key=name, known=known
    )


def _as_json(name: str, value: Any) -> Json:
    try:
        recorded = to_jsonable_python(value)
        json.dumps(recorded, ensure_ascii=False, allow_nan=False).encode()
    except (PydanticSerializationError, ValueError) as error:
        raise MetadataInvalid(
            f'Metadata "{name}" can\'t be recorded as JSON: {error}. Pass a JSON value.',
            key=name,
            problems=[str(error)],
        ) from error
    return recorded


def _problem(found: Any) -> str:
    where = ".".join(map(str, found["loc"]))
    return f"{where}: {found['msg']}" if where else found["msg"]
