"""`project.check()`: tasks, triggers, and findings that somebody has allowed."""

from __future__ import annotations

import pytest

from lampwork import Finding

from .conftest import HEAD

# --- tasks ---


def test_metadata_that_no_skill_of_the_genie_declares_is_an_error(found) -> None:
    body = 'answer = await job.assign_task(clerk, "Look.", metadata={"order": 1})\nreturn answer'

    assert found(body) == [
        'metadata_unknown: answer = await job.assign_task(clerk, "Look.", metadata={"order": 1})'
    ]


BY_USER = """
@project.skill(confirm=True)
def pay(cents: int) -> str:
    '''Pay.'''
    return "paid"

async def search(query: str, k: int, user: str | None) -> list:
    '''Rules.'''
    return []

payer = project.genie("payer", model=model, job_description="", skills=[pay])
rules = project.knowledge("rules", search=search, permissioned=True)
adviser = project.genie("adviser", model=model, job_description="", knowledge=[rules])
"""


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ('job.assign_task(payer, "Pay.")', True),
        ('job.assign_task("payer", "Pay.")', True),
        ('job.options().assign_task(payer, "Pay.", knowledge="public_only")', True),
        ('job.assign_task(adviser, "Advise.")', True),
        ('job.assign_task(adviser, "Advise.", knowledge="public_only")', False),
        ('job.assign_task(adviser, "Advise.", **{"knowledge": "public_only"})', False),
        ('job.assign_task(clerk, "Look.")', False),
    ],
)
def test_a_task_for_a_genie_that_takes_none_in_the_background_is_an_error(
    found, call: str, named: bool
) -> None:
    line = f"return await {call}"

    assert (f"genie_not_eligible: {line}" in found(line, BY_USER)) == named


def test_a_genie_of_another_project_is_an_error(found) -> None:
    other = "other = Project('b').genie('spy', model=model, job_description='')\n\n"
    line = 'return await job.assign_task(other, "Look.")'

    assert found(line, other) == [f"genie_not_in_project: {line}"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('await job.assign_task(mute, "Think.")', True),
        ('await job.assign_task("mute", "Think.")', True),
        ('await job.gather(job.assign_task(mute, "Think."))', True),
        ('return await job.assign_task(mute, "Think.")', False),
        ('await job.assign_task(clerk, "Look it up.")', False),
        ('for _ in parcel: await job.assign_task(clerk, "Tell them.")', True),
        ('await job.gather(*(job.assign_task(clerk, "Tell.") for _ in parcel))', True),
    ],
)
def test_a_task_whose_answer_is_of_no_use_is_named(found, body: str, named: bool) -> None:
    assert found(body) == ([f"answer_unused: {body}"] if named else [])


def test_a_task_for_each_item_of_a_map_whose_answer_is_dropped_is_named(found) -> None:
    helper = """
async def tell(job: Job, each: str) -> None:
    await job.assign_task(clerk, "Tell them.")

"""
    assert found("await job.map(tell, [parcel])", helper) == [
        'answer_unused: await job.assign_task(clerk, "Tell them.")'
    ]


def test_a_genie_that_would_delegate_to_itself_is_named_over_any_number_of_recipes(
    written,
) -> None:
    project = written("""
@project.recipe()
async def survey(job: Job) -> str:
    '''Have it surveyed.'''
    return await helped(job)

async def helped(job: Job) -> str:
    return (await job.assign_task("foreman", "Plan it.")).output

surveyor = project.genie("surveyor", model=model, job_description="", skills=[survey])

@project.recipe()
async def ask(job: Job) -> str:
    '''Ask a surveyor.'''
    return (await job.assign_task(surveyor, "Survey it.")).output

foreman = project.genie("foreman", model=model, job_description="", skills=[ask])
""")

    assert [(each.code, each.message.split("(")[2]) for each in project.check()] == [
        ("delegation_cycle", "foreman → surveyor → foreman): DelegationCycle."),
        ("delegation_cycle", "surveyor → foreman → surveyor): DelegationCycle."),
    ]


# --- triggers ---

ITEMS = """
from pydantic import BaseModel

class Order(BaseModel):
    id: str
    item: str

class Parcel(BaseModel):
    id: str
    weight: int

def orders() -> list[Order]:
    return []

"""


@pytest.mark.parametrize(
    ("takes", "key", "problem"),
    [
        ("order: Order", "id", None),
        ("order: dict", "id", None),
        ("id: str, item: str", "id", None),
        ("id: str, item: str, colour: str = ''", "id", None),
        ("order: Parcel", "id", "Order has no weight, which Parcel needs"),
        ("order: str", "id", "Order is no str"),
        ("id: str, weight: int", "id", "Order has no weight"),
        ("order: Order", "number", 'Order has no field "number", which is to be its key'),
    ],
)
def test_items_of_a_poll_that_can_not_start_the_recipe_are_named(
    written, takes: str, key: str, problem: str | None
) -> None:
    project = written(f"""{ITEMS}
@project.recipe(triggers=[Poll(orders, every=60, key="{key}")])
async def ship(job: Job, {takes}) -> None: ...
""")

    messages = [each.message for each in project.check() if each.code == "poll_does_not_fit"]
    assert messages == (
        []
        if problem is None
        else [
            f'The items of "poll written:orders" can\'t start recipe "ship": {problem}. '
            "Each would be rejected."
        ]
    )


# --- what is meant so ---


def test_a_comment_allows_a_finding_on_its_line_or_the_next_and_no_other(found) -> None:
    body = """
time.time()  # lampwork: allow unrecorded_call
# lampwork: allow print_in_recipe, unrecorded_call
print(time.time())
random.random()  # lampwork: allow print_in_recipe
"""
    assert found(body) == [
        "unrecorded_call: random.random()  # lampwork: allow print_in_recipe",
    ]


def test_a_finding_in_a_recipe_says_where_it_is_and_what_to_do(written, tmp_path) -> None:
    project = written("""
@project.recipe()
async def ship(job: Job) -> None:
    job.sleep(1)
""")

    assert project.check() == [
        Finding(
            code="call_not_awaited",
            severity="error",
            message="job.sleep(…) is made in ship() and never awaited, so it does not happen.",
            mend="Put `await` before it.",
            file=str(tmp_path / "written.py"),
            line=len(HEAD.splitlines()) + 4,
        )
    ]
