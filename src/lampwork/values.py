"""Values as they are recorded: JSON that is read back the same, live and replayed.

A recipe never gets the object that a step returned, always the one decoded from what was written
down, on the first run too. So a value that would change on a replay shows at once.
"""

from __future__ import annotations

import inspect
import json
import traceback
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import PydanticSerializationError

from lampwork.errors import JobFailed, LampworkError, ResultNotRecordable, StepFailed, few
from lampwork.origin import Origin
from lampwork.types import Json

UNTYPED: Any = inspect.Parameter.empty
"""The annotation of a function that has none: plain JSON only."""

LARGEST = 64 * 1024 * 1024
"""Bytes of the largest value that is recorded at all."""


@dataclass(frozen=True, slots=True)
class Value:
    """An outcome that is a value: its JSON text."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An outcome that is an error: its record (see errors.py) and its traceback, for people."""

    error: dict[str, Json]
    traceback: str | None = None
    origin: Origin | None = None
    """Of a job's outcome: the calls that its error came from."""


Outcome = Value | Failure


@dataclass(frozen=True, slots=True)
class Recorded:
    """An outcome that is on record already: its envelope, folded."""

    envelope: str


def return_type(fn: Callable[..., Any]) -> Any:
    """The return annotation of a function, UNTYPED without one."""
    return parameter_types(fn).get("return", UNTYPED)


@lru_cache(maxsize=4096)
def parameter_types(fn: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function, resolved, `Annotated` kept."""
    try:
        return get_type_hints(inspect.unwrap(fn), include_extras=True)
    except NameError as error:
        raise ResultNotRecordable(
            f"The annotations of {fn.__qualname__} can't be resolved: {error}. "
            "Define the type at the top of its module."
        ) from error
    except TypeError:
        return {}


def encode(value: Any, annotation: Any, what: str) -> str:
    """The JSON text of a value, checked to read back as the annotated type.

    Raises ResultNotRecordable, naming `what`.
    """
    try:
        text = _plain(value) if annotation is UNTYPED else _typed(value, annotation)
        text.encode()  # half a surrogate pair, as in the name of a file, is no text
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultNotRecordable(f"{what} can't be recorded: {_first_line(error)}") from error
    if len(text) > LARGEST:
        raise ResultNotRecordable(
            f"{what} has {len(text):,} bytes; {LARGEST:,} is the most. Store it and pass its name."
        )
    return text


def decode(text: str, annotation: Any, what: str) -> Any:
    """The value of a recorded text.

    Raises ResultNotRecordable when today's type no longer takes it.
    """
    if annotation is UNTYPED or annotation is Any:
        return json.loads(text)
    try:
        return _adapter(annotation).validate_json(text)
    except ValidationError as error:
        raise ResultNotRecordable(
            f"{what} was recorded, but does not fit its type any more: {misfits(error)}"
        ) from error


def misfits(error: ValidationError) -> str:
    """What does not fit, by field, in one line."""
    found = error.errors(include_url=False)
    told = (
        f"{'.'.join(map(str, each['loc']))}: {each['msg']}" if each["loc"] else each["msg"]
        for each in found
    )
    return "; ".join(few(told, len(found)))


def given(result: Json, annotation: Any, what: str) -> str:
    """The JSON text of a result that a person gave in place of a function's.

    Raises ResultNotRecordable if it is not of the function's type.
    """
    text = encode(result, UNTYPED, what)
    try:
        decode(text, annotation, what)
    except ResultNotRecordable as error:
        cause = error.__cause__
        problems = misfits(cause) if isinstance(cause, ValidationError) else str(error)
        raise ResultNotRecordable(
            f"the result {text[:80]} that was given for {what} does not fit its type: {problems}"
        ) from error
    return text


def to_json(value: Any, annotation: Any, what: str) -> Json:
    """As `encode`, as a JSON value instead of its text."""
    return json.loads(encode(value, annotation, what))


def from_json(recorded: Json, annotation: Any, what: str) -> Any:
    """As `decode`, from a JSON value."""
    if annotation is UNTYPED or annotation is Any:
        return recorded
    return decode(json.dumps(recorded), annotation, what)


def _plain(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if not _same(json.loads(text), value):
        raise TypeError(
            f"{_kind(value)} is not plain JSON. "
            "Annotate the function's return type, or return dicts, lists, texts and numbers."
        )
    return text


def _same(read: Any, given: Any) -> bool:
    match read:
        case _ if type(read) is not type(given):
            return False
        case dict():
            mapping = cast(dict[str, Any], read)
            return mapping.keys() == given.keys() and all(
                _same(value, given[key]) for key, value in mapping.items()
            )
        case list():
            items = cast(list[Any], read)
            return len(items) == len(given) and all(map(_same, items, given))
        case _:
            return read == given


def _typed(value: Any, annotation: Any) -> str:
    adapter = _adapter(annotation)
    try:
        text = adapter.dump_json(value, round_trip=True, warnings="error").decode()
        adapter.validate_json(text)
    except PydanticSerializationError as error:
        raise TypeError(f"{_kind(value)} is not of its type, {annotation}") from error
    except ValidationError as error:
        raise TypeError(misfits(error)) from error
    return text


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def check_type(annotation: Any) -> None:
    """Raise ResultNotRecordable if no value of this type could be recorded and read back."""
    if annotation is UNTYPED:
        return
    why = unreadable(_adapter(annotation).core_schema)
    if why is not None:
        raise ResultNotRecordable(f"{annotation!r} can't be recorded: {why}.")


_UNREADABLE = {
    "generator": "an iterator is read once only; use list[…]",
    "is-subclass": "no JSON is a class",
    "callable": "no JSON is a function",
}
"""What pydantic has adapters for, and JSON can never be, by the name of its core schema."""


def unreadable(core_schema: Any) -> str | None:
    """Why no JSON is of a type, by pydantic's core schema of it; None if some may be."""
    if isinstance(core_schema, list):
        parts: Any = cast(list[Any], core_schema)
    elif isinstance(core_schema, dict):
        node = cast(dict[str, Any], core_schema)
        kind = node.get("type")
        if isinstance(kind, str) and kind in _UNREADABLE:
            return _UNREADABLE[kind]
        parts = [each for name, each in node.items() if name != "metadata"]
    else:
        return None
    return next(filter(None, map(unreadable, parts)), None)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return _cached_adapter(annotation)
    except TypeError:  # an annotation that can't be hashed
        return _new_adapter(annotation)


def _new_adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise ResultNotRecordable(
            f"{annotation!r} can't be recorded: {_first_line(error)}. "
            "Use a pydantic model, a dataclass, a TypedDict or plain JSON types."
        ) from error


_cached_adapter = lru_cache(maxsize=4096)(_new_adapter)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:400]


# --- outcomes ---


def failure(error: BaseException, *, call: str) -> Failure:
    """What is recorded of an exception: a Lampwork error as it is, any other as StepFailed."""
    text = users_traceback(error)
    if isinstance(error, LampworkError):
        return Failure(error.to_record(), text)
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    failed = StepFailed(
        storable(f"{call} raised {name}: {error}"),
        error_type=name,
        details=storable(str(error)),
        call=call,
    )
    return Failure(failed.to_record(), text)


_NOT_USERS = (str(Path(__file__).parent), futures.__path__[0])
"""Where the code lies that is between a user's recipe and a user's function."""


def users_traceback(error: BaseException) -> str | None:
    """The traceback of an exception without the frames of Lampwork itself; None if it has no more.

    What it says then stands in the message.
    """
    told = traceback.TracebackException.from_exception(error)
    seen: traceback.TracebackException | None = told
    has_frames = False
    while seen is not None:
        frames = [frame for frame in seen.stack if not frame.filename.startswith(_NOT_USERS)]
        seen.stack = traceback.StackSummary.from_list(frames)
        # A note holds the traceback of a call that has failed in this.
        has_frames = has_frames or bool(frames or getattr(seen, "__notes__", None))
        seen = seen.__cause__ or seen.__context__
    return storable("".join(told.format())) if has_frames else None


def storable(text: str) -> str:
    """A text that can be written down; an exception's may hold NUL, or half a surrogate pair."""
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()


def write(outcome: Outcome) -> str:
    """The envelope of an outcome, the one form in which the engine and our rows keep it."""
    if isinstance(outcome, Value):
        return f'{{"value":{outcome.text}}}'
    record: dict[str, Json] = {"error": outcome.error, "traceback": outcome.traceback}
    if outcome.origin is not None:
        record["origin"] = {"calls": outcome.origin.calls, "made": outcome.origin.made}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def read(envelope: str) -> Outcome:
    """The outcome that `write` wrote."""
    if envelope.startswith('{"value":'):
        return Value(envelope[len('{"value":') : -1])
    record = json.loads(envelope)
    origin = record.get("origin")
    return Failure(
        record["error"],
        record["traceback"],
        Origin(tuple(origin["calls"]), origin["made"]) if origin else None,
    )


def result(outcome: Outcome, annotation: Any, what: str) -> Any:
    """The value of an outcome, or its error raised."""
    return decode(text_of(outcome), annotation, what)


def of_job(job_id: str, status: str, envelope: str | None) -> Outcome:
    """What a job that has ended gives to those who waited for it: its value, or JobFailed."""
    outcome = read(envelope) if envelope else None
    if status == "succeeded" and isinstance(outcome, Value):
        return outcome
    error = outcome.error if isinstance(outcome, Failure) else None
    why = f": {error['message']}" if error else ""
    failed = JobFailed(f"Job {job_id} {status}{why}", job_id=job_id, job_status=status, error=error)
    return Failure(failed.to_record())


def text_of(outcome: Outcome) -> str:
    """The JSON text of a value, or its error raised."""
    if isinstance(outcome, Failure):
        error = LampworkError.from_record(outcome.error)
        if outcome.traceback:
            error.add_note(f"\n{outcome.traceback.rstrip()}")
        raise error
    return outcome.text


def settled(record: dict[str, Any], annotation: Any, what: str) -> Any:
    """One branch's value, or its error as an object, from its envelope as JSON."""
    if "error" in record:
        return LampworkError.from_record(record["error"])
    return from_json(record["value"], annotation, what)
