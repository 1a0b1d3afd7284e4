"""An orchestrator that could not work is refused where it is defined, or planned."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, lead, subtask
from tests.warm import Warm

from lampwork import Job, Metadata, OrchestrationLimits, Plan, Project, Subtask
from lampwork.errors import DuplicateName, GenieNotEligible, OrchestratorInvalid, ProjectError
from lampwork.insights import Insights
from lampwork.orchestrators.plan import Team, problems_of

project = Project("desk")
worker = agent(project, "worker")
stranger = agent(Project("elsewhere"), "stranger")


@project.skill(effect="read")
def look(shop: Metadata[str]) -> str:
    """Look."""
    return shop


@project.recipe()
async def count(job: Job) -> int:
    """Count."""
    return 1


looker = agent(project, "looker", skills=[look])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"agents": []}, "it has no agents"),
        ({"agents": [worker, look]}, 'agents= has "look", which is a skill'),
        ({"agents": [count]}, 'agents= has "count", which is a recipe'),
        ({"agents": [stranger]}, 'agent "stranger" belongs to project "elsewhere"'),
        ({"agents": ["lead"]}, "agents= has itself"),
        ({"agents": [worker, worker]}, 'agent "worker" is given twice'),
        ({"agents": [7]}, "agents= has 7"),
        ({"fallbacks": {worker: [looker]}}, 'fallbacks= names "looker", which is no agent'),
        ({"fallbacks": {worker: [worker]}}, 'the fallbacks of "worker" must be other agents'),
        ({"pass_metadata": {worker: ["shop"]}}, 'gives "shop" to agent "worker"'),
        ({"pass_metadata": {"wroker": ["shop"]}}, 'Did you mean "worker"?'),
        ({"judge": worker}, 'its judge "worker" is its agent'),
        ({"judge": stranger}, 'judge "stranger" belongs to project "elsewhere"'),
        ({"judge": "stranger"}, "judge='stranger' is no genie"),
        ({"agents": worker}, "agents= is no list. Give agents=[…]"),
        ({"agents": "worker"}, "agents= is no list. Give agents=[…]"),
        ({"limits": {"parallel": 2}}, "Give OrchestrationLimits(…)"),
        ({"plan": [subtask("a", "worker")]}, "plan= is a list. Give Plan(subtasks=["),
        ({"fallbacks": ["worker"]}, "fallbacks= is a list. Give fallbacks={agent: [others]}"),
        ({"fallbacks": {worker: 3}}, 'fallbacks= of "worker" is 3. Give a list'),
        ({"pass_metadata": "shop"}, "pass_metadata= is a str. Give pass_metadata={agent: ["),
        ({"plan_approval": lambda: True}, "plan_approval=<lambda> does not take a plan"),
        ({"plan_approval": 3}, "plan_approval=3 says nothing"),
        ({"plan_aproval": "always"}, 'takes no plan_aproval=. Did you mean "plan_approval"?'),
    ],
)
def test_a_wrong_definition_names_what_is_wrong(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OrchestratorInvalid) as raised:
        lead(project, given.pop("agents", [worker]), **given)

    assert 'Orchestrator "lead": ' in raised.value.message
    assert said in raised.value.message
    assert "lead" not in project.genies


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": 3}, "model=3 is no model"),
        ({"model": lambda turn: turn}, "is a plain function. Decorate it with @playbook"),
        ({"job_description": None}, "job_description=None is no text"),
        ({"max_turns": 0}, "max_turns=0: give a whole number"),
        ({"budget": 3}, "budget=3 limits nothing. Give Budget(…)"),
    ],
)
def test_so_does_what_is_wrong_with_it_as_a_genie(given: dict[str, Any], said: str) -> None:
    right: dict[str, Any] = {"model": "openai:x", "job_description": "You lead."}
    with pytest.raises(ProjectError) as raised:
        project.orchestrator("lead", agents=[worker], **(right | given))

    assert 'Genie "lead": ' in raised.value.message
    assert said in raised.value.message
    assert "lead" not in project.genies


WRONG_IN_CODE: list[tuple[dict[str, Any], str]] = [
    ({"seconds": "10"}, "seconds: Input should be a number (given: '10')."),
    ({"budget_share": True}, "budget_share: Input should be a number"),
    ({"required": "no"}, "required: Input should be True or False"),
    ({"agent": 3}, "agent: Input should be a valid string"),
    ({"depends_on": "b"}, "depends_on: Input should be a valid list"),
    ({"output": print}, "output: output=<built-in function print> can't be described"),
    ({"colour": "red"}, "allowed are: id, title, agent"),
    ({"title": ""}, "title: String should have at least 1 character"),
]


@pytest.mark.parametrize(("given", "said"), WRONG_IN_CODE)
def test_a_wrong_subtask_in_code_names_itself_and_its_place(
    given: dict[str, Any], said: str
) -> None:
    right = subtask("a", "worker")
    for make in (lambda each: Subtask(**each), lambda each: Plan(subtasks=[each])):
        with pytest.raises(OrchestratorInvalid) as raised:
            make(right | given)
        assert said in raised.value.message
        assert raised.value.message.startswith(f"{__file__}:")
    with pytest.raises(OrchestratorInvalid, match=r": Subtask \"a\": "):
        Subtask(**right | given)


@pytest.mark.parametrize("given", [[], None, Subtask(**subtask("a", "worker"))])
def test_a_plan_is_a_list_of_at_least_one_subtask(given: Any) -> None:
    with pytest.raises(OrchestratorInvalid, match="a list of at least one Subtask"):
        Plan(subtasks=given)


def test_what_a_model_writes_as_a_number_is_one() -> None:
    """Its plans are checked with all that is wrong with them, and go back with that."""
    given = subtask("a", "worker", seconds="10", required="no")
    read = Subtask.model_validate(given)

    assert (read.seconds, read.required) == (10.0, False)
    with pytest.raises(ValidationError):
        Subtask.model_validate(given | {"seconds": "soon"})


@pytest.mark.parametrize("given", ["skills", "knowledge", "tools"])
def test_it_takes_no_skills(given: str) -> None:
    others: Any = {given: [look]}
    with pytest.raises(OrchestratorInvalid, match=f'Orchestrator "lead": it takes no {given}='):
        lead(project, [worker], **others)

    assert "lead" not in project.genies


def test_its_name_is_that_of_no_other_genie() -> None:
    with pytest.raises(DuplicateName):
        lead(project, [looker], name="worker")


def test_orchestrators_stand_five_deep_at_the_most() -> None:
    nested = Project("nested")
    last: Any = agent(nested, "a0")
    for depth in range(1, 5):
        last = lead(nested, [last], name=f"a{depth}")
    with pytest.raises(OrchestratorInvalid, match="stand 6 deep"):
        lead(nested, [last], name="a5")


@pytest.mark.parametrize(
    "given", [{"parallel": 0}, {"retries": -1}, {"asks": 1.5}, {"backoff": float("nan")}]
)
def test_limits_are_numbers(given: dict[str, Any]) -> None:
    with pytest.raises(OrchestratorInvalid, match=next(iter(given))):
        OrchestrationLimits(**given)


SCHEMA = {"type": "object", "properties": {"total": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("subtasks", "said"),
    [
        (
            [
                subtask("a", "worker", depends_on=["c"]),
                subtask("b", "worker", depends_on=["a"]),
                subtask("c", "worker", depends_on=["b"]),
            ],
            "these wait for each other: a → c → b → a",
        ),
        ([subtask("a", "worker", checks=["nice"])], 'subtask "a": there is no check "nice"'),
        ([subtask("a", "worker", rubric="nice")], "there is no judge for its rubric"),
        ([subtask("a", "worker", fallbacks=["b"])], 'there is no agent "b"'),
        ([subtask("a", "worker", depends_on=["b"])], 'depends_on "b", and there is no such'),
        (
            [subtask("a", "worker", inputs=[{"name": "x", "subtask": "b"}])],
            'input "x": there is no subtask "b"',
        ),
        (
            [subtask("a", "worker", inputs=[{"name": "x", "subtask": "a"}])],
            "can't be given what it produces itself",
        ),
        (
            [
                subtask("a", "worker", output=SCHEMA),
                subtask("b", "worker", inputs=[{"name": "x", "subtask": "a", "field": "sum"}]),
            ],
            'nothing produces "sum": the output of subtask "a" has no such field',
        ),
        (
            [
                subtask("a", "worker"),
                subtask("b", "worker", inputs=[{"name": "x", "subtask": "a", "field": "sum"}]),
            ],
            'subtask "a" gives a text without fields',
        ),
        (
            [
                subtask("a", "worker", output={"type": "object"}),
                subtask("b", "worker", inputs=[{"name": "x", "subtask": "a", "field": "sum"}]),
            ],
            'the output of subtask "a" names no fields. Name them in its properties, or leave out',
        ),
        (
            [
                subtask("a", "worker", output={"$ref": "#/$defs/Sum", "$defs": {"Sum": SCHEMA}}),
                subtask("b", "worker", inputs=[{"name": "x", "subtask": "a", "field": "sum"}]),
            ],
            'nothing produces "sum": the output of subtask "a" has no such field',
        ),
        ([subtask("a", "worker", inputs=[{"name": "x"}])], "give one of request, file and sub"),
        (
            [subtask(each, "worker", budget_share=0.6) for each in "ab"],
            "the budget shares add up to 1.2",
        ),
        ([subtask("a", "worker", output={"type": "nothing"})], "output: "),
        ([subtask(f"s{n}", "worker") for n in range(4)], "4 subtasks are too many: 3 are the most"),
    ],
)
def test_a_plan_that_can_not_be_carried_out_is_refused(
    subtasks: list[dict[str, Any]], said: str
) -> None:
    plan = Plan(subtasks=[Subtask.model_validate(each) for each in subtasks])
    with pytest.raises(OrchestratorInvalid) as raised:
        lead(project, [worker], plan=plan, limits=OrchestrationLimits(subtasks=3))

    assert said in raised.value.message


def test_of_a_plan_that_is_too_long_nothing_else_is_said() -> None:
    """With thousands of subtasks, looking for the names that were meant would take minutes."""
    plan = [Subtask.model_validate(subtask(f"s{n}", "nobody", depends_on=["x"])) for n in range(4)]

    assert problems_of(plan, Team(["worker"], [], has_judge=False, most=3)) == [
        "4 subtasks are too many: 3 are the most"
    ]


async def test_an_agent_that_takes_no_background_tasks_keeps_its_orchestrator_from_all(
    opened: Open,
) -> None:
    project = Project("desk")

    @project.skill(confirm=True)
    def refund() -> None:
        """Refund."""

    cashier = agent(project, "cashier", skills=[refund])
    lead(project, [cashier, agent(project, "clerk")], name="below")
    head = lead(project, [project.genies["below"]], name="head")
    why = 'skill "refund" of its agent "below.cashier" needs the confirmation of its user'

    found = {each.message: each for each in project.check() if each.code == "genie_not_eligible"}
    assert found[f'"head" can\'t take background tasks: {why}.'].severity == "warning"
    async with opened(project) as app:
        with pytest.raises(GenieNotEligible, match="Give it agents without these skills") as raised:
            await app.assign(head, "Do it.")
        with pytest.raises(GenieNotEligible, match="can't be talked to"):
            await app.send_message(head, "Hello.", user="ann")
        views = await Insights(app.store).genies(list(project.genies.values()), None)
    shown = {each.genie: each for each in views}

    [reason] = raised.value.fields["reasons"]
    assert (reason["agent"], reason["skill"]) == ("below.cashier", "refund")
    assert (shown["head"].agents, shown["head"].obstacles) == (("below",), (why,))
    assert shown["clerk"].obstacles == ()


WRONG = '''
from lampwork import Answer, Plan, Project, Subtask, SubtaskInput, playbook

project = Project("wrong")
play = playbook(lambda turn: Answer("done"))
how = {"model": play, "job_description": "You lead."}
worker = project.genie("worker", model=play, job_description="You work.")
stranger = Project("elsewhere").genie("stranger", model=play, job_description="You work.")
total = {"type": "object", "properties": {"cents": {"type": "integer"}}}


@project.skill(effect="read")
def look() -> str:
    """Look."""
    return "seen"


def one(id, **more):
    return Subtask(id=id, title=id, agent=worker, brief="do", **more)


cycle = one("a", depends_on=["b"]), one("b", depends_on=["a"])
unmade = one("a", output=total), one("b", inputs=[SubtaskInput(name="x", subtask="a", field="y")])

project.orchestrator("skilled", agents=[worker], skills=[look], **how)
project.orchestrator("helped", agents=[look], **how)
project.orchestrator("alone", agents=[], **how)
project.orchestrator("foreign", agents=[stranger], **how)
project.orchestrator("itself", agents=["itself"], **how)
project.orchestrator("cycle", agents=[worker], plan=Plan(subtasks=cycle), **how)
project.orchestrator("unmade", agents=[worker], plan=Plan(subtasks=unmade), **how)
project.orchestrator("odd", agents=[worker], plan=Plan(subtasks=[one("a", checks=["nice"])]), **how)
'''

SAID = {
    "skilled": "it takes no skills=",
    "helped": 'agents= has "look", which is a skill',
    "alone": "it has no agents",
    "foreign": 'agent "stranger" belongs to project "elsewhere"',
    "itself": "agents= has itself",
    "cycle": "these wait for each other: a → b → a",
    "unmade": 'subtask "b": input "x": nothing produces "y"',
    "odd": 'subtask "a": there is no check "nice"',
}


IN_PLANS = """
from lampwork import Answer, OrchestrationLimits, Plan, Project, Subtask, SubtaskInput, playbook

project = Project("wrong")
play = playbook(lambda turn: Answer("done"))
how = {"model": play, "job_description": "You lead."}
worker = project.genie("worker", model=play, job_description="You work.")
right = {"title": "A", "agent": worker, "brief": "do"}

late = Subtask(
    id="a",
    seconds="10",
    **right,
)
untitled = Subtask(id="b", agent=worker, brief="do")
given = Subtask(id="c", inputs=[SubtaskInput(nme="x", subtask="a")], **right)
nobody = Subtask(id="e", title="E", agent="nobody", brief="do")
assert (late.title, late.seconds, given.inputs[0].subtask) == ("A", "10", "a")

project.orchestrator("one", agents=[worker], plan=Plan(subtasks=[late, untitled]), **how)
project.orchestrator("two", agents=[worker], plan=Plan(subtasks=[given]), **how)
project.orchestrator("three", agents=[worker], plan=Plan(subtasks=[]), **how)
project.orchestrator("four", agents=[worker], plan=Plan(subtasks=[{"id": "d"}]), **how)
project.orchestrator("five", agents=[worker], limits=OrchestrationLimits(subtasks="2"), **how)
project.orchestrator("six", agents=[worker], plan=Plan(subtasks=[nobody]), **how)
"""

SAID_OF_PLANS = {
    "late": 'Subtask "a": seconds: Input should be a number',
    "untitled": 'Subtask "b": title: Field required',
    "given": "SubtaskInput: name: Field required; nme: ",
    'project.orchestrator("three"': "Plan: subtasks: Input should be a list of at least one",
    'project.orchestrator("four"': "Plan: subtasks.0.title: Field required",
    'project.orchestrator("five"': "OrchestrationLimits(subtasks='2')",
    'project.orchestrator("six"': 'there is no agent "nobody"',
}


def test_check_goes_on_behind_a_wrong_subtask(warm: Warm, tmp_path: Path) -> None:
    """Each is one problem, and whoever is given it is blamed for nothing more."""
    found, lines = _checked(IN_PLANS, warm, tmp_path), IN_PLANS.splitlines()
    for (begin, said), each in zip(SAID_OF_PLANS.items(), found, strict=True):
        assert (each["code"], each["severity"]) == ("orchestrator_invalid", "error")
        assert said in each["message"]
        assert each["file"] == str(tmp_path / "project.py")
        assert lines[each["line"] - 1].startswith(begin)


def test_check_names_every_wrong_definition_with_its_place(warm: Warm, tmp_path: Path) -> None:
    found, lines = _checked(WRONG, warm, tmp_path), WRONG.splitlines()
    for (name, said), each in zip(SAID.items(), found, strict=True):
        assert (each["code"], each["severity"]) == ("orchestrator_invalid", "error")
        assert each["message"].startswith(f'Orchestrator "{name}": ')
        assert said in each["message"]
        assert each["file"] == str(tmp_path / "project.py")
        assert lines[each["line"] - 1].startswith(f'project.orchestrator("{name}"')


def _checked(code: str, warm: Warm, folder: Path) -> list[Any]:
    """What `lampwork check` finds in a file of that code."""
    (folder / "project.py").write_text(code)
    env = {name: each for name, each in os.environ.items() if name != "LAMPWORK_HOME"}
    ran = warm.start(("-m", "lampwork", "check", "project.py", "--json"), cwd=folder, env=env)
    out, err = ran.communicate(timeout=120)
    assert ran.returncode == 1, out + err
    return json.loads(out)["items"]
