"""Eligibility: a background task has no user, so some genies can't take one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from lampwork import Answer, Call, Job, Passage, Project, Turn, playbook
from lampwork.errors import GenieNotEligible, SkillInvalid

from .conftest import Open

asked: list[str] = []
"""What the models of this page were asked: nothing, where a task is refused."""


@playbook
def listening(turn: Turn) -> Answer:
    asked.append(turn.instructions)
    return Answer("done")


project = Project("it")


@project.skill(effect="idempotent", as_user="okta")
async def reset_mfa() -> str:
    """Reset the second factor of the user."""
    return "reset"


@project.skill(confirm=True, approval=["legal", "ann"])
def wire(cents: int) -> str:
    """Wire money."""
    return "wired"


@project.skill(effect="read")
def look_up(ticket: str) -> str:
    """Look a ticket up."""
    return ticket


PAGES = [
    Passage("Reset the router, then wait a minute.", "handbook, page 3"),
    Passage("The spare key lies with Ann.", "keys.md"),
]
READERS = {"keys.md": "ann"}


async def search_policies(query: str, k: int, user: str | None) -> Sequence[Passage]:
    """The policies of the company. Search them before you advise."""
    words = set(query.lower().split())
    allowed = [page for page in PAGES if READERS.get(page.source, user) == user]
    return [page for page in allowed if words & set(page.text.lower().split())][:k]


policies = project.knowledge("policies", search=search_policies, permissioned=True)


def genie(name: str, skills: Any = (), knowledge: Any = (), model: Any = listening) -> Any:
    return project.genie(
        name, model=model, job_description="You help.", skills=skills, knowledge=knowledge
    )


risky = genie("risky", [look_up, reset_mfa, wire], [policies])
careful = genie("careful", [look_up])


async def test_a_genie_whose_skills_take_a_user_is_refused_before_anything_happens(
    opened: Open,
) -> None:
    asked.clear()
    async with opened(project) as app:
        with pytest.raises(GenieNotEligible) as caught:
            await app.assign_task(risky, "Help.")
    assert caught.value.reasons == [
        {"skill": "reset_mfa", "why": "acts as a verified user (okta)"},
        {"skill": "wire", "why": "needs the confirmation of its user"},
        {"skill": "wire", "why": "needs an approval by legal or ann"},
        {
            "skill": "search_policies",
            "why": 'searches knowledge "policies", which depends on who asks',
        },
    ]
    assert caught.value.message == (
        '"risky" can\'t take background tasks: skill "reset_mfa" acts as a verified user (okta); '
        'skill "wire" needs the confirmation of its user; skill "wire" needs an approval by legal '
        'or ann; skill "search_policies" searches knowledge "policies", which depends on who asks. '
        'Assign the task to a genie without these skills, and pass knowledge="public_only" if '
        "public documents are enough."
    )
    assert caught.value.status == 422
    assert asked == []


@project.recipe()
async def ask(job: Job, name: str) -> str:
    try:
        return (await job.assign_task(name, "Help.")).output
    except GenieNotEligible as error:
        return f"refused: {len(error.reasons)} reasons"


async def test_a_recipe_is_refused_too_and_a_genie_of_plain_skills_is_not(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(ask, name="risky") == "refused: 4 reasons"
        assert await app.run(ask, name="careful") == "done"


@playbook
def delegating(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("ask", name="risky")
    return Answer(turn.results[0].value)


clever = genie("clever", [ask], model=delegating)


async def test_a_task_below_another_is_a_background_task_like_any(opened: Open) -> None:
    asked.clear()
    async with opened(project) as app:
        answer = await app.assign_task(clever, "Let somebody wire it.")
    assert answer.output == "refused: 4 reasons"
    assert asked == []


# --- knowledge ---


@playbook
def reader(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("search_policies", query=turn.instructions)
    return Answer(turn.results[0].value)


librarian = genie("librarian", knowledge=[policies], model=reader)


async def test_permissioned_knowledge_needs_the_word_that_public_documents_are_enough(
    opened: Open,
) -> None:
    async with opened(project) as app:
        with pytest.raises(GenieNotEligible, match='or pass knowledge="public_only"'):
            await app.assign_task(librarian, "reset key")
        answer = await app.assign_task(
            librarian, "reset key", knowledge="public_only", output=list[Passage]
        )
    # Not the passage that only Ann may read.
    assert answer.output == PAGES[:1]


async def test_a_genie_searches_by_a_skill_that_says_what_is_there_and_asks_for_sources() -> None:
    [skill] = librarian.skills
    assert skill.name == "search_policies"
    assert skill.effect == "read"
    assert skill.doc == (
        "The policies of the company. Search them before you advise.\n\n"
        "Each passage names its `source`: cite the sources of what you use."
    )
    assert list(skill.parameters["properties"]) == ["query"]


def many(query: str, k: int, user: str | None) -> list[Passage]:
    """A search that forgets how many are wanted."""
    return PAGES * 10


open_base = project.knowledge("open", search=many, k=3)


@playbook
def counting(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("search_open", query="all")
    return Answer(str(len(turn.results[0].value)))


async def test_knowledge_that_is_the_same_for_all_needs_no_word(opened: Open) -> None:
    async with opened(project) as app:
        assert (
            await app.assign_task(genie("open", [], [open_base], counting), "All.")
        ).output == "3"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"search": lambda query: []}, "can't be called as .query, k, user."),
        ({"search": many, "k": 0}, "k=0 would never find anything"),
    ],
)
def test_a_search_that_could_not_be_used_is_refused_when_it_is_defined(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SkillInvalid, match=message):
        Project("other").knowledge("base", **given)


# --- when it is said ---


async def test_a_process_that_opens_the_project_logs_who_can_take_no_tasks(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lampwork.genies.genie"):
        async with opened(project):
            pass
    said = [each.getMessage() for each in caplog.records if each.name == "lampwork.genies.genie"]
    named = [each.split(" can't")[0] for each in said]
    # Not the librarian: some tasks make do with public documents.
    assert named == ['"risky"']


def test_check_names_them_as_well() -> None:
    notes = [each for each in project.check() if each.code == "genie_not_eligible"]
    named = {(each.severity, each.message.split(" can't")[0]) for each in notes}
    assert named >= {("note", '"risky"'), ("note", '"librarian"')}
    assert ("note", '"careful"') not in named


@pytest.mark.parametrize(
    "options",
    [{"as_user": ""}, {"approval": [""]}, {"give_up_after": 0}],
    ids=str,
)
def test_options_that_say_nothing_are_refused(options: dict[str, Any]) -> None:
    def act() -> None: ...

    with pytest.raises(SkillInvalid):
        Project("other").skill(**options)(act)


def test_a_recipe_has_no_user_to_act_as() -> None:
    async def act(job: Job) -> None: ...

    with pytest.raises(SkillInvalid, match="put as_user= on a function"):
        Project("other").skill(as_user="okta")(act)
