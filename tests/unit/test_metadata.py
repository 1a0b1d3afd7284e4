"""Metadata: declared by annotation, checked before anything happens, handed over as recorded."""

from __future__ import annotations

from datetime import date
from typing import Annotated, get_type_hints

import pytest
from pydantic import AfterValidator, BaseModel, Field

from lampwork import Metadata, Sealed
from lampwork.errors import MetadataInvalid, MetadataUnknown
from lampwork.genies.skill import Skill
from lampwork.metadata import (
    declared_by,
    from_texts,
    inject,
    is_metadata,
    record,
    sealed_again,
    unsealed,
    withheld,
)


class Account(BaseModel):
    id: int


async def approve(note: str, invoice_id: Metadata[str], limit: Metadata[int] = 10) -> str:
    """Approve."""
    return f"{invoice_id} {limit}"


async def book(day: Metadata[date], account: Metadata[Account]) -> str:
    """Book."""
    return str(day)


SKILLS = [Skill.define(approve), Skill.define(book)]
DECLARED = declared_by(SKILLS)


def test_a_type_checker_sees_the_plain_type_and_the_mark_is_there_at_run_time() -> None:
    hints = get_type_hints(approve, include_extras=True)

    assert get_type_hints(approve)["invoice_id"] is str
    assert is_metadata(hints["invoice_id"])
    assert not is_metadata(hints["note"])
    assert is_metadata(Metadata[Annotated[str, Field(pattern="I")]])


def test_values_are_recorded_as_json_exactly_as_given() -> None:
    given = {"invoice_id": "INV-1", "day": date(2026, 1, 2), "account": Account(id=7)}

    recorded, _ = record(DECLARED, given, genie="clerk")

    assert recorded == {"invoice_id": "INV-1", "day": "2026-01-02", "account": {"id": 7}}
    assert inject(SKILLS[1].metadata, recorded) == {
        "day": date(2026, 1, 2),
        "account": Account(id=7),
    }


def test_an_undeclared_key_is_refused_with_a_suggestion() -> None:
    with pytest.raises(MetadataUnknown) as raised:
        record(DECLARED, {"invoice": "INV-1"}, genie="clerk")

    assert raised.value.message == (
        'No skill of genie "clerk" declares metadata "invoice". Did you mean "invoice_id"?'
    )
    assert raised.value.known == ["account", "day", "invoice_id", "limit"]


def test_a_key_for_a_genie_that_declares_none_is_refused() -> None:
    with pytest.raises(MetadataUnknown, match="None of its skills declares any"):
        record({}, {"invoice_id": "1"}, genie="clerk")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("invoice_id", 7, "Input should be a valid string"),
        ("limit", "7", "Input should be a valid integer"),
        ("day", "soon", "Input should be a valid date"),
        ("account", {"id": "x"}, "id: Input should be a valid integer"),
        ("invoice_id", object(), "Unable to serialize unknown type"),
        ("limit", float("nan"), "not JSON compliant"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_problem(key, value, problem) -> None:
    with pytest.raises(MetadataInvalid, match=f'"{key}"') as raised:
        record(DECLARED, {key: value}, genie="clerk")

    assert raised.value.key == key
    assert problem in raised.value.message


def test_a_skill_is_withheld_when_a_required_key_is_lacking_not_when_an_optional_one_is() -> None:
    assert withheld(SKILLS, {"invoice_id": "INV-1"}) == {
        "book": 'the task has no metadata "day", "account"'
    }
    assert inject(SKILLS[0].metadata, {"invoice_id": "INV-1"}) == {"invoice_id": "INV-1"}


def test_a_key_that_two_skills_declare_must_fit_both() -> None:
    async def other(invoice_id: Metadata[int]) -> None:
        """Other."""

    declared = declared_by([SKILLS[0], Skill.define(other)])

    with pytest.raises(MetadataInvalid, match='skill "other"'):
        record(declared, {"invoice_id": "INV-1"}, genie="clerk")


def test_texts_from_a_command_line_are_texts_where_a_text_fits_and_json_elsewhere() -> None:
    texts = {"invoice_id": "42", "limit": "42", "account": '{"id": 1}', "day": "2026-01-02"}

    assert from_texts(DECLARED, texts) == {
        "invoice_id": "42",
        "limit": 42,
        "account": {"id": 1},
        "day": "2026-01-02",
    }
    assert from_texts(DECLARED, {"limit": "many"}) == {"limit": "many"}


async def pay(
    account: Metadata[Annotated[str, AfterValidator(lambda value: known(value))]],
) -> None:
    """Pay."""


def known(account: str) -> str:
    raise ValueError(f"no account {account}")


@pytest.mark.parametrize(
    ("value", "problem"),
    [("DE-44-7117", "no account DE-44-7117"), (Sealed("DE-44-7117"), "no account «account»")],
)
def test_what_is_wrong_with_a_sealed_value_is_said_without_it(value, problem) -> None:
    with pytest.raises(MetadataInvalid, match=problem):
        record(declared_by([Skill.define(pay)]), {"account": value}, genie="clerk")


def test_seals_are_recorded_as_paths_and_given_back() -> None:
    given = {"invoice_id": "INV-1", "account": {"id": Sealed(70071)}}

    recorded, sealed = record(DECLARED, given, genie="clerk")

    assert recorded == {"invoice_id": "INV-1", "account": {"id": 70071}}
    assert sealed == (("account", "id"),)
    assert record(DECLARED, recorded, sealed, genie="clerk") == (recorded, sealed)
    assert sealed_again(recorded, sealed) == given
    assert repr(given) == "{'invoice_id': 'INV-1', 'account': {'id': Sealed(…)}}"


def test_a_seal_holds_and_stands_in_objects_and_lists() -> None:
    inner, outer = Sealed({"a": [1, {"b": "value"}]}), {"x": [Sealed("value"), "plain"]}

    plain, sealed = unsealed({"inner": inner, "outer": outer})

    assert plain == {"inner": {"a": [1, {"b": "value"}]}, "outer": {"x": ["value", "plain"]}}
    assert sealed == (("inner",), ("outer", "x", 0))
    assert sealed_again(plain, sealed) == {"inner": inner, "outer": outer}
    assert (Sealed("a") == Sealed("a"), Sealed("a") == "a", len({Sealed(1), Sealed(1)})) == (
        *(True, False),
        1,
    )
