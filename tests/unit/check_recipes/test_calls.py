"""`project.check()`: how calls of the job are made, and what they are given."""

from __future__ import annotations

from textwrap import indent

import pytest

from lampwork import faults


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("job.step(weigh)", ["call_not_awaited: job.step(weigh)"]),
        ("call = job.sleep(1)", ["call_not_awaited: call = job.sleep(1)"]),
        (
            "slow = job.options(timeout=5)\nslow.step(weigh)",
            ["call_not_awaited: slow.step(weigh)"],
        ),
        ("pack(job)", ["call_not_awaited: pack(job)"]),
        ("calls = [job.step(weigh)]\nawait job.gather(*calls)", []),
        ("call = job.sleep(1)\nawait call", []),
        ("job.log('here')", []),
        ("return await job.step(weigh)", []),
        ("a = job.step(weigh)\nreturn a.kg", ["call_not_awaited: a = job.step(weigh)"]),
        ("return job.step(weigh).kg", ["call_not_awaited: return job.step(weigh).kg"]),
        (
            "a = job.step(weigh)\nawait job.step(weigh, a)",
            ["call_not_awaited: a = job.step(weigh)"],
        ),
        ("a = job.step(weigh)\njob.log(f'{a} g')", ["call_not_awaited: a = job.step(weigh)"]),
        ("a = job.step(weigh)\nreturn a['kg']", ["call_not_awaited: a = job.step(weigh)"]),
        ("a = job.step(weigh)\nb = await a\nawait job.step(weigh, b)", []),
        ("a = job.step(weigh)\na = await a\nawait job.step(weigh, a)", []),
        ("a, b = job.step(weigh), job.step(weigh)\nreturn await job.gather(a, b)", []),
        ("a = job.step(weigh)\nawait job.gather(*[a])", []),
        ("a = job.step(weigh)\nreturn await wait(a)", []),
    ],
)
def test_a_call_that_is_never_awaited_is_an_error(found, body: str, codes: list[str]) -> None:
    assert found(body, "async def pack(job: Job) -> None:\n    await job.sleep(1)\n\n") == codes


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("await asyncio.gather(job.step(weigh))", "job_call_in_asyncio_task"),
        (
            "await asyncio.gather(*(job.step(weigh, each) for each in parcel))",
            "job_call_in_asyncio_task",
        ),
        ("asyncio.create_task(pack(job))", "job_call_in_asyncio_task"),
        ("await asyncio.wait_for(job.step(weigh), 5)", "timeout_around_job_call"),
        ("await asyncio.gather(other(parcel))", None),
        ("await job.gather(job.step(weigh))", None),
    ],
)
def test_job_calls_in_asyncios_hands_are_found_before_they_are_refused(
    found, body: str, code: str | None
) -> None:
    helpers = """
async def pack(job: Job) -> None:
    await job.sleep(1)

async def other(parcel: str) -> None: ...

"""
    assert found(body, helpers) == ([f"{code}: {body}"] if code else [])


PAYER = """
from lampwork import Budget

@project.skill(effect="idempotent")
def pay(cents: int, order: Metadata[str] = "") -> str:
    '''Pay for the order.'''

payer = project.genie("payer", model=model, job_description="", skills=[pay])

"""


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (
            "await job.assign_task(clerk, 'x', ouput=int)",
            "argument_unknown",
            'Did you mean "output',
        ),
        ("await job.wait_for('x', timeot=5)", "argument_unknown", 'Did you mean "timeout"?'),
        ("await job.options(retrie=5).step(weigh)", "argument_unknown", 'Did you mean "retry"?'),
        (
            "await job.assign_task(clerk, 'x', budget=Budget(modelcalls=5))",
            "argument_unknown",
            'Did you mean "model_calls"?',
        ),
        ("await job.assign_task(clerk, 'x', output='Decision')", "output_type_invalid", "Decision"),
        ("await job.setp(weigh)", "job_call_unknown", 'Did you mean "step"'),
        ("await job.call(weigh)", "not_a_recipe", "@project.recipe()"),
        ("await job.start(weigh)", "not_a_recipe", "@project.recipe()"),
        (
            "await job.assign_task(payer, 'x', metadata={'order': 7})",
            "metadata_invalid",
            "Input should be a valid string",
        ),
    ],
)
def test_what_a_call_of_the_job_does_not_take_is_an_error(
    written, body: str, code: str, said: str
) -> None:
    recipe = "@project.recipe()\nasync def ship(job: Job, parcel: str = '') -> None:\n"
    [found] = written(PAYER + recipe + indent(body, "    ") + "\n").check()

    assert (found.code, found.severity) == (code, "error")
    assert said in f"{found.message} {found.mend}"


@pytest.mark.parametrize(
    "body",
    [
        "terms = {}\nawait job.assign_task(clerk, 'x', **terms)",
        "await job.step(weigh, parcel='1')",
        "await job.assign_task(payer, 'x', metadata={'order': '7'}, output=int, deadline=None)",
        "await job.assign_task(payer, 'x', metadata={'order': parcel}, budget=Budget(tokens=5))",
        "await job.assign_task(payer, 'x', output={'type': 'object'})",
        "await job.options(timeout=5).step(weigh)",
        "await job.wait_for('x', str, timeout=5)",
        "await job.gather(job.step(weigh), on_error='collect')",
        "await job.call(ship, parcel='7')",
        "await job.sleep(seconds=4)",
    ],
)
def test_what_a_call_of_the_job_takes_is_none(written, body: str) -> None:
    recipe = "@project.recipe()\nasync def ship(job: Job, parcel: str = '') -> None:\n"
    codes = {each.code for each in written(PAYER + recipe + indent(body, "    ") + "\n").check()}

    assert codes <= {"answer_unused"}


def test_after_a_wrong_skill_its_genie_is_blamed_for_nothing_more(written) -> None:
    with faults.kept() as kept:
        project = written("""
@project.skill()
def pay(*cents: int, order: Metadata[str]) -> str:
    '''Pay for the order.'''

def refund(order: Metadata[str]) -> str:
    '''Pay back.'''

payer = project.genie("payer", model=model, job_description="", skills=[pay])
refunder = project.genie("refunder", model=model, job_description="", skills=[refund])

@project.recipe()
async def ship(job: Job) -> None:
    await job.assign_task(payer, "Pay.", metadata={"order": "7"})
    await job.assign_task(refunder, "Pay.", metadata={"order": "7"})
""")

    assert [each.error.code for each in kept] == ["skill_invalid", "skill_invalid"]
    assert project.check() == []


def test_a_task_group_and_a_timeout_around_job_calls_are_found(found) -> None:
    group = "async with asyncio.TaskGroup() as tasks:\n    tasks.create_task(job.step(weigh))"
    limit = "async with asyncio.timeout(5):\n    await job.step(weigh)"

    assert found(group) == ["job_call_in_asyncio_task: tasks.create_task(job.step(weigh))"]
    assert found(limit) == ["timeout_around_job_call: async with asyncio.timeout(5):"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("await job.map(lambda job, each: job.step(weigh, each), [parcel])", True),
        ("await job.map(local, [parcel])", True),
        ("await job.map(pack, [parcel])", False),
        ("job.on_end(lambda: None)", True),
        ("await job.step(lambda: 1)", False),
        ("await job.step(local, parcel)", False),
    ],
)
def test_what_can_not_be_found_again_by_name_is_named(found, body: str, named: bool) -> None:
    helper = "async def pack(job: Job, parcel: str) -> None: ...\n\n"
    local = "async def local(job: Job) -> None: ...\n"

    assert found(local + body, helper) == ([f"function_not_importable: {body}"] if named else [])
