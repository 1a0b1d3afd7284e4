"""Task metadata: the values that reach skills from the task's record, never from the model.

A skill declares a key by annotating a parameter `Metadata[T]`. The parameter is in no schema; its
value is filled in from what the task was assigned with, whatever the model says.

    async def approve_invoice(note: str, invoice_id: Metadata[str]) -> Receipt: ...

Nothing keeps the same value out of instructions, files or results, where the model would read it:
the scan says where it did (see scan.py), and a `Sealed` value is kept out (see seal.py).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from lampwork.errors import MetadataInvalid, MetadataUnknown, few
from lampwork.metadata.needles import FEWEST, Path, named, needles, within
from lampwork.metadata.seal import Seal
from lampwork.types import Json

__all__ = [
    "Declares",
    "Key",
    "Metadata",
    "Sealed",
    "declared_by",
    "from_texts",
    "inject",
    "is_metadata",
    "mentions_metadata",
    "record",
    "sealed_again",
    "unsealed",
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


class Sealed:
    """A metadata value that no request may carry: `metadata={"invoice_id": Sealed("INV-7")}`.

    Skills get the value. In what they return and raise it is replaced by `«invoice_id»`, which is
    the value again in what the genie passes to skills and in its answer. A request that would
    carry it all the same is not sent (MetadataLeaked). It may stand inside a dict or list, and may
    hold one. Its text never shows the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    @property
    def value(self) -> Any:
        """What is sealed."""
        return self._value

    def __repr__(self) -> str:
        return "Sealed(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Sealed, self._value))


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
            found = error.errors(include_url=False)
            return "; ".join(few(map(_problem, found), len(found)))
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
    declared: Mapping[str, list[tuple[str, Key]]],
    given: Mapping[str, Any],
    sealed: Collection[Path] = (),
    *,
    genie: str,
) -> tuple[dict[str, Json], tuple[Path, ...]]:
    """The metadata as it is recorded with the task: JSON that fits every skill that declares it.

    With it, where it is sealed: what is given as `Sealed`, and at those paths already. Raises
    MetadataUnknown, MetadataInvalid.
    """
    recorded: dict[str, Json] = {}
    plain, paths = unsealed(given)
    paths = tuple(sorted({*paths, *sealed}, key=str))
    for name, value in plain.items():
        if name not in declared:
            raise _unknown(name, sorted(declared), genie)
        recorded[name] = value = _as_json(name, value)
        for skill, key in declared[name]:
            if problem := key.problem(value):
                problem = Seal(needles({name: value}, paths)[0]).hide(problem)
                raise MetadataInvalid(
                    f'Metadata "{name}" does not fit what skill "{skill}" declares: {problem}. '
                    "Pass a value of that type.",
                    key=name,
                    skill=skill,
                    problems=[problem],
                )
    if paths:
        _check_sealed(recorded, paths)
    return recorded, paths


def unsealed(given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The values without their seals, and where those were."""
    paths: list[Path] = []
    plain = _without_seals(dict(given), (), paths)
    return plain, tuple(paths)


def _without_seals(value: Any, path: Path, paths: list[Path]) -> Any:
    match value:
        case Sealed():
            paths.append(path)
            return _without_seals(value.value, path, paths)
        case dict():
            items = cast(dict[Any, Any], value).items()
            return {key: _without_seals(inner, (*path, key), paths) for key, inner in items}
        case list() | tuple():
            inner = enumerate(cast(list[Any], value))
            return [_without_seals(each, (*path, i), paths) for i, each in inner]
        case _:
            return value


def sealed_again(metadata: Mapping[str, Json], paths: Collection[Path]) -> dict[str, Any]:
    """Recorded metadata as it was given, with its seals."""
    return {key: _with_seals(value, (key,), paths) for key, value in metadata.items()}


def _with_seals(value: Json, path: Path, paths: Collection[Path]) -> Any:
    if path in paths:
        return Sealed(value)
    match value:
        case dict():
            items = cast(dict[str, Json], value).items()
            return {key: _with_seals(inner, (*path, key), paths) for key, inner in items}
        case list():
            inner = enumerate(cast(list[Json], value))
            return [_with_seals(each, (*path, i), paths) for i, each in inner]
        case _:
            return value


def _check_sealed(metadata: Mapping[str, Json], paths: Collection[Path]) -> None:
    """A seal that can't be kept is refused."""
    wanted, others = needles(metadata, paths)
    for path in paths:
        if any(within(each.path, path) for each in wanted):
            continue
        why = next((why for each, why in others.items() if within(each, path)), "it is empty")
        raise MetadataInvalid(
            f'Metadata "{named(path)}" can\'t be sealed: nobody could tell whether a request '
            f"carries it ({why}). Seal at least {FEWEST} characters, or pass it plainly.",
            key=named(path),
        )


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
