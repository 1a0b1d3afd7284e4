"""Errors are written down by their names and read back as themselves."""

from __future__ import annotations

import pytest

from lampwork import errors
from lampwork.errors import JobNotFound, LampworkError, StepFailed, joined, sentence


@pytest.mark.parametrize("name", errors.__all__)
def test_the_name_of_an_error_says_nothing_of_the_file_it_is_in(name: str) -> None:
    error = getattr(errors, name)

    assert f"{error.__module__}.{error.__qualname__}" == f"lampwork.errors.{name}"


def test_a_record_gives_the_same_error_again() -> None:
    error = StepFailed("the bank hung up", error_type="ConnectionError", details="", call=3)

    again = LampworkError.from_record(error.to_record())

    assert type(again) is StepFailed
    assert (again.to_record(), again.call) == (error.to_record(), 3)


def test_the_record_of_an_error_that_this_version_lacks_is_a_lampwork_error() -> None:
    record = JobNotFound("no job").to_record() | {"code": "of_the_future"}

    assert type(LampworkError.from_record(record)) is LampworkError


@pytest.mark.parametrize(
    ("text", "said"), [("no", "no."), ("no.", "no."), ("why?", "why?"), ("so..", "so."), ("", ".")]
)
def test_a_sentence_ends_with_one_mark(text: str, said: str) -> None:
    assert sentence(text) == said


def test_phrases_are_one_sentence_also_if_they_are_some_themselves() -> None:
    assert joined(["It is down.", "no data"]) == "It is down; no data."
    assert joined(["no", 'Did you mean "a"?']) == 'no; Did you mean "a"?'
