"""JSON Schemas that are made to keep whoever judges by them busy for ever."""

from __future__ import annotations

from typing import Any

import pytest

from lampwork.errors import OutputTypeInvalid
from lampwork.genies.output import describe

DOUBLED = {
    "$defs": {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)}
    | {"a60": {}},
}
"""A reference to its first form asks for 2**60 comparisons."""

ELSEWHERE = {
    name: {"$schema": "https://json-schema.org/draft/2020-12/schema", **each}
    for name, each in DOUBLED["$defs"].items()
}
"""The same forms, each of which says of which dialect it is."""

ALMOST = "a" * 60 + "!"
"""What `(a+)+$` nearly fits: `re` would try 2**60 ways."""


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for _ in range(depth):
        node = {"allOf": [node], "unevaluatedProperties": False}
    return node


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (DOUBLED | {"$ref": "#/$defs/a0"}, "takes too long"),
        (nested(60), "takes too long"),
        ({"$defs": ELSEWHERE, "$ref": "#/$defs/a0"}, "takes too long"),
        ({"type": "string", "pattern": "(?=a)(a+)+$"}, "linear time"),
        ({"type": "string", "pattern": r"(a+)\1+$"}, "linear time"),
        ({"patternProperties": {"(?=a)(a+)+$": {}}}, "linear time"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "beside"),
        ({"anyOf": [{"pattern": f"a{n}"} for n in range(51)]}, "50 are the most"),
        ({"description": "x" * 200_000}, "131,072 is the most"),
    ],
    ids=lambda case: str(case)[:40],
)
def test_a_schema_that_can_not_be_judged_by_in_time_is_refused(
    schema: dict[str, Any], why: str
) -> None:
    with pytest.raises(OutputTypeInvalid, match=why):
        describe(schema)


@pytest.mark.parametrize(
    ("schema", "given", "problem"),
    [
        ({"type": "string", "pattern": "(a+)+$"}, ALMOST, f"{ALMOST!r} does not match '(a+)+$'"),
        ({"type": "string", "pattern": "^a+!$"}, ALMOST, None),
        ({"type": "string", "pattern": "b|!"}, ALMOST, None),
        (
            {"type": "object", "patternProperties": {"(a+)+$": {"type": "integer"}}},
            {ALMOST: "x", "a": "x"},
            "a: 'x' is not of type 'integer'",
        ),
        (
            {
                "type": "object",
                "properties": {"b": {}},
                "patternProperties": {"(a+)+$": {}},
                "additionalProperties": False,
            },
            {ALMOST: 1, "a": 1, "b": 1},
            "Additional properties are not allowed",
        ),
    ],
    ids=lambda case: str(case)[:40],
)
def test_a_pattern_is_matched_in_linear_time(schema: Any, given: Any, problem: str | None) -> None:
    described = describe(schema)
    assert described is not None

    problems = described.take(given)[1]

    assert len(problems) == (problem is not None)
    assert problem is None or problems[0].startswith(problem)


def test_an_answer_that_takes_too_long_to_compare_does_not_fit() -> None:
    forms = {"anyOf": [{"properties": {"x": {"const": n}}, "required": ["x"]} for n in range(300)]}
    described = describe({"type": "array", "items": forms})
    assert described is not None

    assert described.take([{"x": 299}] * 10)[1] == []
    [problem] = described.take([{"x": 299}] * 1000)[1]
    assert "takes too long" in problem


def test_a_schema_that_refers_to_itself_judges_what_is_deep() -> None:
    tree = {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        "$ref": "#/$defs/node",
    }
    described = describe(tree)
    assert described is not None

    value: Any = 7
    for _ in range(30):
        value = {"next": value}

    [problem] = described.take(value)[1]
    assert problem.endswith("7 is not of type 'object'")


@pytest.mark.parametrize(
    ("schema", "given", "fits"),
    [
        ({"uniqueItems": True}, [{"a": n} for n in range(40_000)], True),
        ({"uniqueItems": True}, [*({"a": n} for n in range(40_000)), {"a": 7}], False),
        ({"items": {"enum": [[n] for n in range(9_000)]}}, [[n] for n in range(9_000)], True),
        ({"items": {"enum": [[n] for n in range(9_000)]}}, [[n] for n in range(9_001)], False),
        ({"uniqueItems": True}, [1, True, "1", None, [1], {"a": 1}, [True], {"a": True}], True),
        ({"uniqueItems": True}, [{"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}], False),
        ({"uniqueItems": False}, [1, 1], True),
        ({"enum": [1, {"a": [True]}]}, 1.0, True),
        ({"enum": [1, {"a": [True]}]}, True, False),
        ({"enum": [1, {"a": [True]}]}, {"a": [1]}, False),
    ],
    ids=lambda case: str(case)[:40],
)
def test_values_are_looked_up_among_others_in_linear_time(
    schema: Any, given: Any, fits: bool
) -> None:
    described = describe(schema)
    assert described is not None

    assert (described.take(given)[1] == []) is fits
