"""Skills: what a signature becomes, and which signatures are refused."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from lampwork import Job, Metadata, Skill, SkillCall
from lampwork.errors import DuplicateName, SkillInvalid
from lampwork.project import Project
from lampwork.runs.step import Retry


class Line(BaseModel):
    text: str


@dataclass
class Point:
    x: int


async def approve(
    note: str,
    lines: list[Line],
    invoice_id: Metadata[str],
    call: SkillCall,
    level: Annotated[int, Field(ge=1, description="How urgent.")] = 1,
) -> str:
    """Approve the invoice.

    Use it when the amounts match.

    Args:
        note: Why it is approved.
        invoice_id: Never shown.

    Returns:
        A receipt.
    """
    return f"{note} {invoice_id}"


def test_a_skill_is_the_plain_function_when_called() -> None:
    def double(n: int) -> int:
        """Double."""
        return n * 2

    assert Skill.define(double)(4) == 8


def test_the_schema_holds_the_models_arguments_and_no_trace_of_the_others() -> None:
    skill = Skill.define(approve)

    assert skill.parameters == {
        "$defs": {
            "Line": {
                "properties": {"text": {"title": "Text", "type": "string"}},
                "required": ["text"],
                "title": "Line",
                "type": "object",
            }
        },
        "additionalProperties": False,
        "properties": {
            "note": {"description": "Why it is approved.", "type": "string"},
            "lines": {"items": {"$ref": "#/$defs/Line"}, "type": "array"},
            "level": {"default": 1, "description": "How urgent.", "minimum": 1, "type": "integer"},
        },
        "required": ["note", "lines"],
        "type": "object",
    }
    assert skill.doc == "Approve the invoice.\n\nUse it when the amounts match."
    assert list(skill.metadata) == ["invoice_id"]
    assert skill.effect == "at_most_once"


def test_descriptions_are_read_from_numpy_and_sphinx_docstrings_too() -> None:
    def numpy(a: int) -> None:
        """Do it.

        Parameters
        ----------
        a : int
            The first.
        """

    def sphinx(a: int) -> None:
        """Do it.

        :param a: The first.
        """

    for fn in (numpy, sphinx):
        skill = Skill.define(fn)
        assert skill.parameters["properties"]["a"]["description"] == "The first."
        assert skill.doc == "Do it."


def test_any_parameter_name_is_a_good_one() -> None:
    def odd(schema: str, model_config: int, json: str, copy: bool = False) -> None:
        """Odd."""

    skill = Skill.define(odd)

    assert skill.contract.fit({"schema": "a", "model_config": 1, "json": "b"}) == (
        {"schema": "a", "model_config": 1, "json": "b"},
        [],
    )


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"note": "a", "lines": [{"text": "b"}]}, []),
        ({"note": "a"}, ["lines: Field required"]),
        ({"note": "a", "lines": [{}]}, ["lines.0.text: Field required"]),
        (
            {"note": "a", "lines": [], "x": 1},
            ["x: Extra inputs are not permitted (given: 1); allowed are: note, lines, level"],
        ),
        (
            {"note": "a", "lines": [], "level": 0},
            ["level: Input should be greater than or equal to 1 (given: 0)"],
        ),
    ],
)
def test_arguments_are_checked_and_each_problem_is_a_sentence(given, problems) -> None:
    assert Skill.define(approve).contract.fit(given)[1] == problems


@pytest.mark.parametrize(
    ("raw", "read", "problem"),
    [
        ('{"a": 1}', {"a": 1}, ""),
        ("", {}, ""),
        (None, {}, ""),
        ('{"a": ', {}, "The arguments are not JSON"),
        ("[1]", {}, "The arguments must be one JSON object"),
        ('{"a": NaN}', {}, "The arguments are not JSON"),
    ],
)
def test_raw_arguments_are_read_as_one_object(raw, read, problem) -> None:
    found, problems = Skill.define(approve).contract.read(raw)

    assert found == read
    assert " ".join(problems).startswith(problem)


def bad_star(*args: int) -> None: ...
def bad_kwargs(**kwargs: int) -> None: ...
def bad_positional(a: int, /) -> None: ...
def bad_missing(a) -> None: ...  # type: ignore[no-untyped-def]
def bad_type(a: inspect.Signature) -> None: ...
def bad_calls(one: SkillCall, two: SkillCall) -> None: ...
def bad_nested(a: Metadata[str] | None = None) -> None: ...
def bad_list(a: list[Metadata[str]]) -> None: ...
def bad_default(a: int = Field(default=1)) -> None: ...
def bad_forward(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def answer() -> None: ...


@pytest.mark.parametrize(
    ("fn", "problem"),
    [
        (bad_star, "can't be told what"),
        (bad_kwargs, "can't be told what"),
        (bad_positional, "has no name to a caller"),
        (bad_missing, "parameter a has no annotation"),
        (bad_type, "parameter a: "),
        (bad_calls, "one and two both take the SkillCall"),
        (bad_nested, r"Metadata\[str \| None\]"),
        (bad_list, "has Metadata inside another type"),
        (bad_default, r"Annotated\[T, Field"),
        (bad_forward, "annotations can't be resolved"),
        (answer, "Lampwork's own"),
    ],
)
def test_a_bad_signature_is_refused_at_definition_with_file_line_and_mend(fn, problem) -> None:
    with pytest.raises(SkillInvalid, match=problem) as raised:
        Skill.define(fn)

    line = fn.__code__.co_firstlineno
    assert raised.value.message.startswith(f'{__file__}:{line}: skill "{fn.__name__}": ')
    assert (raised.value.file, raised.value.line) == (__file__, line)


def test_an_option_that_there_is_not_is_refused_with_the_one_that_was_meant() -> None:
    project = Project("shop")

    with pytest.raises(
        SkillInvalid, match=r'no option efect=\. Did you mean "effect"\?'
    ) as refused:

        @project.skill(efect="idempotent")  # pyright: ignore[reportCallIssue]
        def pay(cents: int) -> str:
            """Pay."""
            return "paid"

    assert refused.value.skill == "pay"


def test_options_that_contradict_are_refused() -> None:
    def pay() -> None:
        """Pay."""

    with pytest.raises(SkillInvalid, match="would run its effect twice"):
        Skill.define(pay, retry=Retry())
    with pytest.raises(SkillInvalid, match="positive number of seconds"):
        Skill.define(pay, timeout=0)
    with pytest.raises(SkillInvalid, match="is none of read, idempotent, at_most_once"):
        Skill.define(pay, effect="maybe")  # type: ignore[arg-type]
    with pytest.raises(SkillInvalid, match="1 to 64 letters"):
        Skill.define(pay, name="pay now")


def test_a_reconciler_asks_for_the_skills_own_parameters_only() -> None:
    skill = Skill.define(approve)

    with pytest.raises(SkillInvalid, match="asks for colour"):

        @skill.reconcile
        def find(call: SkillCall, colour: str) -> None: ...

    assert not skill.has_reconciler


def test_a_recipe_becomes_a_skill_without_its_job_parameter() -> None:
    project = Project("finance")

    @project.recipe()
    async def refund(job: Job, amount: int, customer: Metadata[str]) -> Point:
        """Refund an amount."""
        return Point(amount)

    genie = project.genie("g", model="openai:gpt-5.2", job_description="", skills=[refund])
    skill = {each.name: each for each in genie.skills}["refund"]

    assert (skill.recipe, skill.doc) == ("refund", "Refund an amount.")
    assert list(skill.parameters["properties"]) == ["amount"]
    assert list(skill.metadata) == ["customer"]


def test_a_genies_skills_have_names_of_their_own_and_are_skills() -> None:
    project = Project("finance")

    def look() -> None:
        """Look."""

    skill = Skill.define(look)

    with pytest.raises(DuplicateName, match="two skills called look"):
        project.genie("g", model="m", job_description="", skills=[skill, Skill.define(look)])
    with pytest.raises(SkillInvalid, match="neither a skill nor a recipe"):
        project.genie("g", model="m", job_description="", skills=[look])
