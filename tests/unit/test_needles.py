"""What is looked for of a task's metadata, and that it is found in every form."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lampwork.metadata.needles import MOST, Matcher, needles

VALUE = 'Jörg "Weiß" & Co/7+8'


def matcher(value: object = VALUE, *, sealed: bool = False) -> Matcher:
    found, _ = needles({"who": value}, [("who",)] if sealed else [])
    return Matcher(found)


def forms(text: str, value: object = VALUE) -> list[str]:
    return [found.form for found in matcher(value).look(text)]


# --- what is looked for ---


def test_values_inside_json_are_looked_for_each_under_its_path():
    metadata = {
        "invoice_id": "INV-7",
        "customer": {"id": 4711003, "names": [" Ann Smith ", "Smithers"]},
    }

    wanted, others = needles(metadata, [("customer", "id")])

    assert [(each.key, each.text, each.sealed) for each in wanted] == [
        ("invoice_id", "INV-7", False),
        ("customer.id", "4711003", True),
        ("customer.names.0", "Ann Smith", False),
        ("customer.names.1", "Smithers", False),
    ]
    assert others == {}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "true, false or null"),
        (None, "true, false or null"),
        (7, "too short to be telling"),
        ("7", "too short to be telling"),
        ("  ab  ", "too short to be telling"),
        (2026, "too small a number to be telling"),
        ("-1.5", "too small a number to be telling"),
        ("Pending", "a common word"),
    ],
)
def test_a_value_that_is_not_telling_is_named_with_the_reason(value, why):
    assert needles({"key": value}) == ((), {("key",): why})


@pytest.mark.parametrize("value", [20261, 147.25, "INV-7", "acme", "ß" * 4, "10.000"])
def test_a_telling_value_is_looked_for(value):
    wanted, others = needles({"key": value})

    assert [each.value for each in wanted] == [value]
    assert others == {}


def test_of_sealed_values_only_the_shortest_are_not_looked_for():
    metadata = {"pin": "4711", "plan": "gold", "n": 7}

    wanted, others = needles(metadata, [("pin",), ("plan",), ("n",)])

    assert [each.key for each in wanted] == ["pin", "plan"]
    assert others == {("n",): "too short to be telling"}


def test_very_many_plain_values_are_not_all_looked_for():
    wanted, others = needles({"ids": [f"INV-{n:05}" for n in range(MOST + 3)]})

    assert len(wanted) == MOST
    assert list(others) == [("ids", MOST), ("ids", MOST + 1), ("ids", MOST + 2)]


# --- how it is found ---


@pytest.mark.parametrize(
    ("text", "form", "rest"),
    [
        (VALUE, "plain", "…"),
        (VALUE.upper(), "case", "…"),
        (VALUE.swapcase(), "case", "…"),
        (json.dumps(VALUE), "json", '"…"'),
        (json.dumps(VALUE, ensure_ascii=False), "json", '"…"'),
        (json.dumps({"a": [VALUE.lower()]}), "json+case", '{"a": ["…"]}'),
        (VALUE.replace("/", r"\/").replace('"', r"\""), "json", "…"),
        (json.dumps(json.dumps({"a": VALUE})), "json+json", r'"{\"a\": \"…\"}"'),
        ("".join(f"\\u{ord(c):04x}" for c in VALUE), "json", "…"),
        (quote(VALUE), "url", "…"),
        (quote(VALUE, safe=""), "url", "…"),
        (quote_plus(VALUE).lower(), "url+case", "…"),
        ("".join(f"%{byte:02x}" for byte in VALUE.encode()), "url", "…"),
        (quote(json.dumps(VALUE)), "url+json", "%22…%22"),
        (json.dumps(quote(VALUE) + '"'), "url", r'"…\""'),
    ],
)
def test_a_value_is_found_in_every_form_and_place(text, form, rest):
    [found] = matcher().look(text)

    assert found.form == form
    assert f"{text[: found.start]}…{text[found.end :]}" == rest


@pytest.mark.parametrize(
    ("value", "text", "rest"),
    [
        ("Jörg Weiß", "of Jörg\n   Weiß.", "of …."),
        ("Jörg Weiß", "of Jörg\u00a0weiß.", "of …."),
        ("Jörg Weiß", "of Jo\u0308rg Weiß.", "of …."),
        ("Jo\u0308rg Weiß", "of Jörg  Weiß.", "of …."),
        ("Jörg Weiß", "of Jö\u00adrg Wei\u200bß.", "of …."),
        ("Jörg Weiß", r"of Jörg\n Weiß.", "of …."),
        ("INV-2026-0077", "of INV-2026- \r\n  0077.", "of …."),
        ("INV-2026-0077", "INV-2026-\n0077 \u1112\u1161\u11ab", "… \u1112\u1161\u11ab"),
        ("\ud55c\uae00\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af" * 2, "…"),
    ],
)
def test_a_value_is_found_however_the_text_is_set(value, text, rest):
    found = matcher(value).look(text)

    assert {each.form for each in found} <= {"typeset", "typeset+case", "json+typeset"}
    assert f"{text[: found[0].start]}…{text[found[0].end :]}" == rest


@given(
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
    value=st.text(min_size=4, max_size=60).filter(lambda text: len(text.strip()) >= 4),
    safe=st.booleans(),
    padded=st.booleans(),
    case=st.sampled_from([str, str.lower, str.upper]),
)
def test_a_value_is_found_in_base64_at_every_alignment(before, after, value, safe, padded, case):
    look_for = matcher(value, sealed=True)
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    run = encode(before + case(value.strip()).encode() + after).decode()
    text = f"token {run if padded else run.rstrip('=')}; next"

    found = [each for each in look_for.look(text) if each.form == "base64"]

    assert found
    assert text[found[0].start : found[0].end] == text.split()[1].rstrip(";")


@given(
    value=st.text(min_size=4, max_size=20).filter(lambda text: len(text.strip()) >= 4),
    around=st.tuples(st.text(max_size=9), st.text(max_size=9)),
    case=st.sampled_from([str, str.upper]),
    encode=st.lists(st.sampled_from([json.dumps, quote, quote_plus]), max_size=3),
)
def test_whatever_is_around_it_and_however_it_is_encoded_a_value_is_found(
    value, around, case, encode
):
    assume(case(value).casefold() == value.casefold())  # not so of a few letters
    text = case(value.strip()).join(around)
    for each in encode:
        text = each(text)

    assert matcher(value, sealed=True).look(text)


def test_two_places_are_two_and_the_encoded_one_is_the_whole_run():
    text = "INV-77, then " + base64.b64encode(b"id=INV-77!").decode() + " and inv-77"

    found = matcher("INV-77").look(text)

    assert [(each.form, text[each.start : each.end]) for each in found] == [
        ("plain", "INV-77"),
        ("base64", "aWQ9SU5WLTc3IQ=="),
        ("case", "inv-77"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "INV-", "INV 77", "Jorg Weiss", "SU5W", base64.b64encode(bytes(range(256))).decode()],
)
def test_what_is_not_there_is_not_found(text):
    assert matcher("INV-77").look(text) == []


def test_letters_that_grow_without_case_do_not_shift_the_place():
    text = "ßßß und STRASSE 12"

    [found] = matcher("Straße 12").look(text)

    assert text[found.start : found.end] == "STRASSE 12"


def test_the_name_that_stands_for_a_sealed_value_does_not_carry_it():
    look_for = Matcher(needles({"account": "account"}, [("account",)])[0])

    assert look_for.look("pay to «account»") == []
    assert len(look_for.look("pay to «account» or account")) == 1
