"""What a wait is answered with: recorded with it as JSON Schema, so that any process can check."""

from __future__ import annotations

import json
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from lampwork import values
from lampwork.errors import OutputTypeInvalid
from lampwork.genies.output import describe
from lampwork.types import Json

__all__ = ["in_words", "misfits", "schema_of"]

_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def schema_of(annotation: Any) -> dict[str, Json] | None:
    """JSON Schema of what is waited for; None where there is none to give."""
    if annotation is values.UNTYPED or annotation is Any:
        return None
    try:
        schema = TypeAdapter(annotation).json_schema()
        describe(schema)
    except (PydanticUserError, OutputTypeInvalid):
        return None
    return schema


def misfits(value: Json, subject: dict[str, Json] | None) -> list[str]:
    """What is wrong with an answer to the wait of this subject, as far as its type is known."""
    schema = (subject or {}).get("schema")
    described = describe(schema) if schema else None
    return described.take(value)[1] if described else []


def in_words(subject: dict[str, Json] | None) -> str:
    """What JSON an answer to the wait of this subject is."""
    schema: dict[str, Json] = (subject or {}).get("schema") or {}
    words = _WORDS.get(schema.get("type", ""))
    return words or f"of the type {json.dumps(schema)}"
