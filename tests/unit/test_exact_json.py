"""JSON from outside: what can be kept and told again, and what is refused."""

from __future__ import annotations

import json

import pytest

from lampwork import exact_json
from lampwork.errors import BodyTooLarge


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 10_000, "recursion"),
        (b'{"a": NaN}', "expected"),
        (b'{"a": [1, -1e400]}', "too large"),
        (b"9" * 400 + b".0", "too large"),
        (b"9" * 5000, "out of range"),
        (b'["\\ud800"]', "hex escape"),
        (b'[{"a": "b\\u0000"}]', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b"\xff", "expected value"),
        ("{}".encode("utf-16"), "expected value"),
    ],
    ids=lambda case: str(case)[:30],
)
def test_what_can_not_be_kept_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        exact_json.read(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b'"\\\\u0000"', "\\u0000"),
        (b"[1e40, 1e-400, 1E+0005]", [1e40, 0.0, 1e5]),
        (b"9" * 400, int("9" * 400)),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
    ],
    ids=lambda case: str(case)[:30],
)
def test_the_rest_is_what_it_says(body: bytes, value: object) -> None:
    assert exact_json.read(body) == value


@pytest.mark.parametrize(
    "many", [b"1," * 50_001, b'{"a":"b"},' * 25_001, b'{"' + b'a":{"' * 50_001, b"[]," * 25_001]
)
def test_too_many_values_are_refused_before_they_are_read(many: bytes) -> None:
    with pytest.raises(BodyTooLarge, match="more than 50,000 values") as refused:
        exact_json.read(b"[" + many)  # which would be no JSON: it has no end

    assert refused.value.fields["values"] == 50_000


@pytest.mark.parametrize("text", [",", '[{"', "\\", '\\"', 'a\\",['])
def test_what_stands_in_a_text_is_no_value(text: str) -> None:
    value = [text * 60_000, text, [text] * 10_000]

    assert exact_json.read(json.dumps(value).encode()) == value
