"""`project.check()`: what a replay would do otherwise, and what stands around calls."""

from __future__ import annotations

import pytest

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
