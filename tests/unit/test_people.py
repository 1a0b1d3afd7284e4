"""What roles let callers do, by project."""

from __future__ import annotations

from typing import get_args

import pytest

from lampwork.errors import NotFound, RoleLacking
from lampwork.people import Caller
from lampwork.types import Role


@pytest.mark.parametrize(
    ("held", "may"),
    [
        ("viewer", {"viewer"}),
        ("builder", {"viewer", "builder"}),
        ("approver", {"viewer", "builder", "approver"}),
        ("admin", {"viewer", "builder", "approver", "admin"}),
    ],
)
def test_a_role_lets_do_what_it_includes(held: Role, may: set[Role]) -> None:
    caller = Caller("ann", {"shop": held})

    assert {role for role in get_args(Role) if caller.may("shop", role)} == may


def test_a_role_too_small_is_said_with_the_one_that_it_takes() -> None:
    with pytest.raises(RoleLacking, match="ann is viewer in project") as refused:
        Caller("ann", {"shop": "viewer"}).require("shop", "builder")

    assert refused.value.role == "builder"


def test_a_project_in_which_a_caller_has_no_role_does_not_exist_for_them() -> None:
    with pytest.raises(NotFound, match='no project "bank" here'):
        Caller("ann", {"shop": "admin"}).require("bank", "viewer")


def test_a_role_everywhere_is_that_of_each_project_without_one() -> None:
    caller = Caller("ann", {"shop": "viewer"}, everywhere="admin")

    assert (caller.role_in("shop"), caller.role_in("bank")) == ("viewer", "admin")
