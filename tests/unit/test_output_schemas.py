"""Output given as a JSON Schema: what fits, what does not, what can't be asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lampwork.errors import OutputTypeInvalid
from lampwork.genies.output import describe


def name_of(case: object) -> str:
    """A case's name, the same in each process."""
    return re.sub(r" at 0x\w+", "", str(case))


NODE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/node"}},
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
FORMS = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}},
            "required": ["kind", "n"],
        },
        {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"]},
    ]
}


def formatted(name: str) -> dict[str, Any]:
    return {"type": "string", "format": name}


@pytest.mark.parametrize(
    ("schema", "given", "problems"),
    [
        (NODE, {"answer": {"next": {"next": {}}}}, []),
        (
            NODE,
            {"answer": {"next": {"other": 1}}},
            [
                "next: Additional properties are not allowed ('other' was unexpected); "
                "allowed are: next"
            ],
        ),
        (FORMS, {"answer": {"kind": "a", "n": "x"}}, ["n: 'x' is not of type 'integer'"]),
        (
            FORMS,
            {"answer": {"kind": "c"}},
            [
                "kind: 'a' was expected (as form 1 of 2)",
                "'n' is a required property (as form 1 of 2)",
                "kind: 'b' was expected (as form 2 of 2)",
            ],
        ),
        (formatted("date"), {"answer": "2026-02-30"}, ["'2026-02-30' is not a 'date'"]),
        (formatted("date-time"), {"answer": "2026-02-03"}, ["'2026-02-03' is not a 'date-time'"]),
        (formatted("date-time"), {"answer": "2026-02-03T10:00:00Z"}, []),
        (formatted("time"), {"answer": "25:00:00Z"}, ["'25:00:00Z' is not a 'time'"]),
        (formatted("duration"), {"answer": "P"}, ["'P' is not a 'duration'"]),
        (formatted("duration"), {"answer": "P1DT2H"}, []),
        (formatted("uuid"), {"answer": "7"}, ["'7' is not a 'uuid'"]),
        (formatted("uri"), {"answer": "over there"}, ["'over there' is not a 'uri'"]),
        (formatted("uri"), {"answer": "https://example.com/a"}, []),
        (formatted("colour"), {"answer": "any"}, []),
        (
            {"type": "number"},
            {"answer": float("nan")},
            ["The answer: a number must be finite, not NaN or infinity"],
        ),
        (
            {"not": {"type": "string"}},
            {"answer": "x" * 1000},
            [f"'{'x' * 149} … {'x' * 104}' should not be valid under {{'type': 'string'}}"],
        ),
    ],
    ids=lambda value: name_of(value)[:60],
)
def test_a_json_schema_judges_references_forms_and_formats(schema, given, problems):
    described = describe(schema)
    assert described is not None

    assert described.read(given)[1] == problems


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"properties": {"a": {"$ref": "#/$defs/nowhere"}}}, "does not exist"),
        ({"properties": {"a": {"$ref": "https://example.com/a"}}}, "not followed"),
        ({"$ref": "#"}, "lead back to themselves"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "lead back to themselves"),
        ({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, "lead back to themselves"),
        ({"properties": {"a": {"pattern": "("}}}, "is not a 'regex'"),
        ({"enum": [object()]}, "not JSON serializable"),
    ],
    ids=name_of,
)
def test_a_json_schema_that_would_fail_at_the_answer_is_refused_at_once(schema, why):
    with pytest.raises(OutputTypeInvalid, match=why):
        describe(schema)


def test_references_lead_to_the_same_places_in_what_the_model_is_shown():
    described = describe(
        {
            "type": "array",
            "definitions": {"n": {"type": "integer"}},
            "prefixItems": [{"$ref": "#/definitions/n"}, {"$ref": "#/prefixItems/0"}],
            "items": {"$ref": "#"},
        }
    )
    assert described is not None

    assert described.parameters == {
        "type": "object",
        "properties": {
            "answer": {
                "type": "array",
                "prefixItems": [
                    {"$ref": "#/definitions/n"},
                    {"$ref": "#/properties/answer/prefixItems/0"},
                ],
                "items": {"$ref": "#/properties/answer"},
            }
        },
        "required": ["answer"],
        "additionalProperties": False,
        "definitions": {"n": {"type": "integer"}},
    }
