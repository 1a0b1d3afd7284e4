"""Sealed values give way to their names, and come back."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampwork.metadata.needles import Matcher, needles
from lampwork.metadata.seal import Seal

METADATA = {"invoice_id": "INV-7/ö", "account": {"number": 4711003, "note": "plain one"}}
SEALED = [("invoice_id",), ("account", "number")]
NEEDLES, _ = needles(METADATA, SEALED)
SEAL = Seal(NEEDLES)
ENCODED = base64.b64encode(b"xx" + "INV-7/ö".encode() + b"y").decode()


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ("nothing", "nothing"),
        ("for INV-7/ö and inv-7/Ö", "for «invoice_id» and «invoice_id»"),
        (
            {"inv-7/ö": [{"n": 4711003}], "sum": 14711003.5, "ok": True, "x": None},
            {"«invoice_id»": [{"n": "«account.number»"}], "sum": "1«account.number».5"}
            | {"ok": True, "x": None},
        ),
        ({"INV-7/ö": 1, "inv-7/ö": 2}, {"«invoice_id»": 1, "«invoice_id»'": 2}),
        (json.dumps({"a": "INV-7/ö"}), '{"a": "«invoice_id»"}'),
        (f"?id={quote('INV-7/ö', safe='')}&x=1", "?id=«invoice_id»&x=1"),
        (f"token {ENCODED}.", "token «invoice_id»."),
        ("plain one", "plain one"),
    ],
)
def test_every_form_of_a_sealed_value_gives_way_to_its_name(value, hidden):
    assert SEAL.hide(value) == hidden


PARTS = ["INV-7/ö", "INV-\n7/o\u0308", "4711003", ENCODED, "«", "»", "%", "\\", "\u00ad"]
texts = st.text(max_size=9) | st.sampled_from(PARTS)
values = st.recursive(
    texts.flatmap(lambda text: texts.map(lambda more: text + more)) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(values)
def test_what_is_hidden_holds_no_sealed_value_in_any_form(value: Any):
    hidden = json.dumps(SEAL.hide(value), ensure_ascii=False)

    assert Matcher(SEAL._matcher.needles).look(hidden) == []


def test_names_are_the_values_again():
    given = {"to": "«invoice_id», «account.number»", "«invoice_id»": ["«unknown»"]}

    assert list(SEAL.readings(given)) == [
        {"to": "INV-7/ö, 4711003", "INV-7/ö": ["«unknown»"]},
    ]
    assert SEAL.reveal("paid «invoice_id»") == "paid INV-7/ö"


@pytest.mark.parametrize(
    ("text", "revealed"),
    [
        (r'{"to": "\u00abinvoice_id\u00BB"}', r'{"to": "INV-7/\u00f6"}'),
        ("?id=%C2%ABinvoice_id%c2%bb&x", "?id=INV-7%2F%C3%B6&x"),
        ("for «Invoice_ID»", "for INV-7/ö"),
        ("for invoice_id and «other»", "for invoice_id and «other»"),
    ],
)
def test_a_name_that_is_escaped_is_the_value_escaped_in_the_same_way(text, revealed):
    assert SEAL.reveal(text) == revealed


def test_a_name_alone_may_be_meant_as_the_number():
    assert list(SEAL.readings({"n": "«account.number»"})) == [{"n": "4711003"}, {"n": 4711003}]


def test_json_as_a_text_is_read_before_values_come_in():
    quoted = Seal(needles({"who": 'Ann "A" \\ Smith'}, [("who",)])[0])

    assert list(quoted.readings('{"to": "\\u00abwho\\u00bb"}')) == [{"to": 'Ann "A" \\ Smith'}]
    assert list(quoted.readings("{no JSON «who»")) == ['{no JSON Ann "A" \\ Smith']


def test_without_seals_nothing_changes():
    seal = Seal(needles(METADATA)[0])
    value = {"a": "INV-7/ö «invoice_id»"}

    assert seal.hide(value) is value
    assert list(seal.readings(value)) == [value]
    assert seal.reveal("«invoice_id»") == "«invoice_id»"
