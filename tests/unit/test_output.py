"""Output types: described to the model, checked to the letter, read back typed."""

from __future__ import annotations

import inspect
import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from lampwork.errors import OutputInvalid, OutputTypeInvalid
from lampwork.genies.output import describe


class Line(BaseModel):
    text: str


class Report(BaseModel):
    title: str
    lines: list[Line]
    due: date | None = None


@dataclass
class Point:
    x: int
    y: int = 0


class Pair(TypedDict):
    a: int
    b: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    line: Line


class Aliased(BaseModel):
    size: int = Field(alias="Size")


class Node(BaseModel):
    children: list[Node] = []


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
}


@pytest.mark.parametrize(
    ("output", "given", "value"),
    [
        (
            Report,
            {"title": "t", "lines": [{"text": "a"}], "due": "2026-01-02"},
            Report(title="t", lines=[Line(text="a")], due=date(2026, 1, 2)),
        ),
        (Point, {"x": 1}, Point(1)),
        (Pair, {"a": 1, "b": "c"}, {"a": 1, "b": "c"}),
        (Aliased, {"Size": 3}, Aliased(Size=3)),
        (Open, {"line": {"text": "a"}, "more": [1]}, Open(line=Line(text="a"), more=[1])),
        (Literal["yes", "no"], {"answer": "yes"}, "yes"),
        (int | None, {"answer": None}, None),
        (list[Point], {"answer": [{"x": 1, "y": 2}]}, [Point(1, 2)]),
        (Node, {"answer": {"children": [{"children": []}]}}, Node(children=[Node()])),
        (Point | Pair, {"answer": {"a": 1, "b": "c"}}, {"a": 1, "b": "c"}),
        (SCHEMA, {"n": 1, "more": 2}, {"n": 1, "more": 2}),
        ({"enum": ["a", "b"]}, {"answer": "b"}, "b"),
    ],
    ids=str,
)
def test_an_answer_that_fits_is_recorded_as_json_and_read_back_as_its_type(output, given, value):
    described = describe(output)
    assert described is not None

    recorded, problems = described.read(given)

    assert problems == []
    assert described.decode(recorded) == value
    given = {"answer": recorded} if described.wrapped else recorded
    assert described.read(given) == (recorded, [])


@pytest.mark.parametrize(
    ("output", "given", "problems"),
    [
        (Report, {"title": "t", "lines": [{}]}, ["lines.0.text: Field required"]),
        (
            Report,
            {"title": 1, "lines": [], "mood": "good"},
            [
                "title: Input should be a valid string (given: 1)",
                "mood: Extra inputs are not permitted (given: 'good'); "
                "allowed are: title, lines, due",
            ],
        ),
        (Point, {"x": 1, "z": 2}, ["z: Unexpected keyword argument (given: 2); allowed are: x, y"]),
        (
            Pair,
            {"a": 1, "b": "c", "d": 1},
            ["d: Extra inputs are not permitted (given: 1); allowed are: a, b"],
        ),
        (
            Open,
            {"line": {"text": "a", "colour": "red"}},
            [
                "line: Additional properties are not allowed ('colour' was unexpected); "
                "allowed are: text"
            ],
        ),
        (
            Literal["yes", "no"],
            {"answer": "maybe"},
            ["Input should be 'yes' or 'no' (given: 'maybe')"],
        ),
        (int, 7, ['Give the answer as an object with the one key "answer"']),
        (
            int,
            '{"answer": ',
            ["The answer is not JSON: EOF while parsing a value at line 1 column 11"],
        ),
        (SCHEMA, {"n": "x"}, ["n: 'x' is not of type 'integer'"]),
        (SCHEMA, {}, ["'n' is a required property"]),
    ],
    ids=str,
)
def test_an_answer_that_does_not_fit_is_told_what_is_wrong(output, given, problems):
    described = describe(output)
    assert described is not None

    assert described.read(given)[1] == problems


def test_what_a_default_makes_up_is_recorded_once():
    class Ticket(BaseModel):
        id: uuid.UUID = Field(default_factory=uuid.uuid4)

    described = describe(Ticket)
    assert described is not None
    recorded, _ = described.read({})

    assert described.decode(recorded) == described.decode(recorded)


def test_the_model_sees_an_object_without_room_for_unknown_fields():
    described = describe(Report)
    assert described is not None

    assert described.parameters["additionalProperties"] is False
    assert described.parameters["$defs"]["Line"]["additionalProperties"] is False
    assert not described.wrapped
    wrapped = describe(Literal["yes", "no"])
    assert wrapped is not None
    assert wrapped.parameters == {
        "type": "object",
        "properties": {"answer": {"enum": ["yes", "no"], "type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    }


def test_no_output_is_plain_text_and_a_description_stays_what_it_is():
    assert describe(None) is None
    described = describe(Report)
    assert describe(described) is described
    assert describe(Report) is described


@pytest.mark.parametrize(
    "output",
    [
        inspect.Signature,
        "Report",
        Report(title="t", lines=[]),
        type("Odd", (), {}),
        {"type": "nonsense"},
        {"$ref": "https://example.com/schema.json"},
        42,
    ],
    ids=str,
)
def test_a_type_that_cannot_be_described_is_refused(output):
    with pytest.raises(OutputTypeInvalid, match="output="):
        describe(output)


def test_a_recorded_answer_that_no_longer_fits_its_type_says_so():
    described = describe(Point)
    assert described is not None

    with pytest.raises(OutputInvalid, match="does not fit its type: x: Field required"):
        described.decode({})
