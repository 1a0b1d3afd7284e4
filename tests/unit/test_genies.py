"""What a genie may be called and given, and how Python shows it."""

from __future__ import annotations

from typing import Any

import pytest

from lampwork import Answer, Project, Turn, playbook
from lampwork.errors import ProjectError

project = Project("desk")


@playbook
def script(turn: Turn) -> Answer:
    return Answer("done")


@project.skill(effect="read")
def look(item: str) -> str:
    """Look at it."""
    return item


@pytest.mark.parametrize("wrong", ["", " ", "a/b", " a", "a\n", None, 3])
def test_a_name_can_be_typed_and_stands_in_an_address(wrong: Any) -> None:
    with pytest.raises(ProjectError, match=f"Genie: name={wrong!r} ".replace("\\", r"\\")):
        project.genie(wrong, model=script, job_description="You help.")
    with pytest.raises(ProjectError, match="Project: name="):
        Project(wrong)


@pytest.mark.parametrize("argument", ["skills", "knowledge"])
def test_a_single_one_is_given_in_a_list_too(argument: str) -> None:
    given: dict[str, Any] = {argument: look}
    with pytest.raises(ProjectError, match=rf"{argument}= is no list\. Give {argument}=\[…\]"):
        project.genie("clerk", model=script, job_description="You help.", **given)


def test_it_is_shown_by_its_name() -> None:
    clerk = project.genie("by hand", model=script, job_description="You help.", skills=[look])
    lead = project.orchestrator("lead", model=script, job_description="You lead.", agents=[clerk])

    assert repr(clerk) == 'Genie("by hand" of project "desk")'
    assert repr(lead) == 'Orchestrator("lead" of project "desk")'
