"""`project.check()` on recipes: what their source says will go wrong, found without a run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent

import pytest

from lampwork import Finding, Project, faults

HEAD = """
import asyncio, contextlib, datetime, random, time, uuid
from datetime import datetime as moment
from pathlib import Path
from time import time as clock

import httpx

from lampwork import Answer, Call, Cron, Job, Metadata, Poll, Project, playbook

project = Project("shop")
model = playbook(lambda turn: Answer("done"))


def weigh(parcel: str = "") -> int:
    return len(parcel)


@project.skill(effect="read")
def look_up(order: str) -> str:
    '''Look an order up.'''
    return order


mute = project.genie("mute", model=model, job_description="")
clerk = project.genie("clerk", model=model, job_description="", skills=[look_up])

"""


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """A project whose source is this, in a file of its own."""

    def load(source: str) -> Project:
        file = tmp_path / "written.py"
        file.write_text(HEAD + source)
        spec = importlib.util.spec_from_file_location("written", file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["written"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.project

    yield load
    sys.modules.pop("written", None)


@pytest.fixture
def found(written, tmp_path: Path) -> Callable[..., list[str]]:
    """What is found in a recipe with this body: each finding's code at the text of its line."""

    def check(body: str, before: str = "") -> list[str]:
        recipe = "@project.recipe()\nasync def ship(job: Job, parcel: str = '') -> None:\n"
        project = written(before + recipe + indent(body, "    ") + "\n")
        lines = (tmp_path / "written.py").read_text().splitlines()
        return [f"{each.code}: {lines[each.line - 1].strip()}" for each in project.check()]

    return check


CLOCK = "await job.step(weigh)"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("time.time()", "unrecorded_call"),
        ("clock()", "unrecorded_call"),
        ("datetime.datetime.now()", "unrecorded_call"),
        ("moment.utcnow()", "unrecorded_call"),
        ("datetime.date.today()", "unrecorded_call"),
        ("random.choice([1, 2])", "unrecorded_call"),
        ("uuid.uuid4()", "unrecorded_call"),
        ("time.sleep(1)", "unrecorded_call"),
        ("await asyncio.sleep(1)", "unrecorded_call"),
        ("open('prices.csv')", "unrecorded_call"),
        ("Path('prices.csv').read_text()", "unrecorded_call"),
        ("httpx.get('http://prices')", "unrecorded_call"),
        ("httpx.AsyncClient()", "unrecorded_call"),
        ("print('shipping')", "print_in_recipe"),
        ("[time.time() for _ in range(3)]", "unrecorded_call"),
        ("await job.step(weigh, str(time.time()))", "unrecorded_call"),
    ],
)
def test_what_a_replay_would_do_again_is_named(found, line: str, code: str) -> None:
    assert found(line) == [f"{code}: {line}"]


@pytest.mark.parametrize(
    "body",
    [
        "await job.now()",
        "await job.step(time.time)",
        "def stamp() -> float:\n    return time.time()\nawait job.step(stamp)",
        "await job.step(lambda: time.time())",
        "time = await job.now()\ntime.time()",
        "open = weigh\nopen('x')",
        "random.Random(7).random()",
        "Path('a') / 'b'",
        "httpx.Timeout(5)",
        "datetime.datetime(2026, 1, 1)",
        "await job.sleep(1)",
    ],
)
def test_what_is_recorded_or_the_same_each_time_is_not(found, body: str) -> None:
    assert found(body) == []


def test_imports_inside_a_recipe_are_followed(found) -> None:
    assert found("import time as t\nfrom random import random\nt.time()\nrandom()") == [
        "unrecorded_call: t.time()",
        "unrecorded_call: random()",
    ]


def test_functions_that_a_recipe_calls_maps_or_starts_are_read_too(found) -> None:
    helpers = """
def stamped(parcel: str) -> str:
    return f"{parcel} {clock()}"

async def pack(job: Job, parcel: str) -> None:
    uuid.uuid4()

async def later(job: Job) -> None:
    random.random()

def unused() -> float:
    return time.monotonic()
"""
    body = """
def local() -> float:
    return time.perf_counter()

stamped(parcel)
await job.map(pack, [parcel])
job.on_end(later)
local()
"""
    assert found(body, helpers) == [
        'unrecorded_call: return f"{parcel} {clock()}"',
        "unrecorded_call: uuid.uuid4()",
        "unrecorded_call: random.random()",
        "unrecorded_call: return time.perf_counter()",
    ]


# --- around calls of the job ---


@pytest.mark.parametrize(
    ("last", "named"),
    [
        ("print_out()", True),
        ("await job.step(weigh)", True),
        ("client.close()", False),
        ("job.log('over')", False),
        ("done = True", False),
    ],
)
def test_a_finally_that_acts_around_a_job_call_is_named(found, last: str, named: bool) -> None:
    body = f"client = print_out = parcel\ntry:\n    await job.sleep(1)\nfinally:\n    {last}"

    assert found(body) == ([f"finally_around_job_call: {last}"] if named else [])


def test_a_finally_around_no_job_call_is_not(found) -> None:
    assert found("try:\n    len(parcel)\nfinally:\n    str(parcel)\nawait job.sleep(1)") == []


def test_a_job_that_is_handed_on_counts_as_its_calls(found) -> None:
    helper = "async def pack(job: Job) -> None:\n    await job.sleep(1)\n\n"
    body = "try:\n    await pack(job)\nfinally:\n    str(parcel)"

    assert found(body, helper) == ["finally_around_job_call: str(parcel)"]


@pytest.mark.parametrize(
    ("handler", "named"),
    [
        ("except:\n    pass", True),
        ("except BaseException:\n    job.log('no')", True),
        ("except (ValueError, BaseException) as error:\n    str(error)", True),
        ("except BaseException:\n    job.log('no')\n    raise", False),
        ("except Exception:\n    pass", False),
        ("except ValueError:\n    pass", False),
    ],
)
def test_what_swallows_the_end_of_a_run_is_named(found, handler: str, named: bool) -> None:
    body = f"try:\n    await job.sleep(1)\n{handler}"

    first = handler.splitlines()[0]
    assert found(body) == ([f"broad_except: {first}"] if named else [])


def test_suppressing_everything_is_the_same(found) -> None:
    line = "with contextlib.suppress(BaseException):"

    assert found(f"{line}\n    await job.sleep(1)") == [f"broad_except: {line}"]
    assert found("with contextlib.suppress(ValueError):\n    await job.sleep(1)") == []


# --- how calls are made ---


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
