"""The calls from which an error came: those next to it in its chain of causes."""

from __future__ import annotations

import pytest

from lampwork import origin
from lampwork.errors import BranchesFailed, StepFailed
from lampwork.origin import Origin


def failed(call: int, made: int) -> StepFailed:
    error = StepFailed(f"call {call}")
    origin.mark(error, call, made)
    return error


def raised_from(cause: BaseException) -> Exception:
    try:
        raise KeyError("of the recipe") from cause
    except KeyError as error:
        return error


def test_an_error_of_a_call_is_its_own_origin_whatever_it_was_raised_after() -> None:
    fallback = failed(5, 5)
    fallback.__context__ = failed(3, 4)
    assert origin.of(fallback) == Origin((5,), 5)


def test_an_error_of_the_recipe_leads_to_the_call_behind_it() -> None:
    assert origin.of(raised_from(failed(3, 4))) == Origin((3,), 4)
    assert origin.of(raised_from(raised_from(failed(3, 4)))) == Origin((3,), 4)
    hidden = KeyError()
    hidden.__context__ = failed(2, 2)
    assert origin.of(hidden) == Origin((2,), 2)


def test_an_error_that_is_hidden_on_purpose_is_of_no_account() -> None:
    hidden = KeyError()
    hidden.__context__, hidden.__suppress_context__ = failed(2, 2), True
    assert origin.of(hidden) is None
    assert origin.of(KeyError()) is None


@pytest.mark.parametrize("group", [True, False])
def test_of_branches_all_that_failed_count_and_what_was_made_before_the_first(group: bool) -> None:
    nested = BranchesFailed("", results=[], errors={1: failed(4, 9), 2: KeyError()})
    errors = [failed(2, 7), nested]
    both: Exception = BranchesFailed("", results=[], errors=dict(enumerate(errors)))
    if group:
        both = ExceptionGroup("", errors)
    assert origin.of(both) == Origin((2, 4), 7)


def test_a_circle_of_errors_comes_to_an_end() -> None:
    one, other = KeyError(), ValueError()
    one.__context__, other.__context__ = other, one
    assert origin.of(one) is None
