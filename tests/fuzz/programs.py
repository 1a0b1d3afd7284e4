"""Random recipes: ordinary Python around job calls, made from a seed and played by one recipe."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lampwork import Answer, Call, Job, Project, SkillCall, Turn, playbook
from lampwork.errors import LampworkError, WaitTimedOut

Program = list[Any]
"""Statements; each is a list of its kind and its parts."""

project = Project("fuzz")

effects: dict[str, list[tuple[str, str]]] = {}
"""By root job: idempotency key without the root, and what was done under it, as it happened."""


@dataclass
class Receipt:
    label: str
    amount: Decimal
    parts: tuple[int, ...]


class Refused(Exception):
    """An error of the users' own."""


def act(job: Job, label: str) -> Receipt:
    note(job.step_key(), label)
    return Receipt(label, Decimal(len(label)) / 4, (len(label), 0))


async def refuse(job: Job, label: str) -> Receipt:
    note(job.step_key(), label)
    raise Refused(label)


def note(key: str, label: str) -> None:
    root, _, rest = key.partition(".")
    effects.setdefault(root[1:], []).append((rest, label))


@project.skill(effect="idempotent")
def sign(call: SkillCall) -> str:
    """Sign it."""
    note(call.idempotency_key, "signed")
    return "signed"


@playbook
def signer(turn: Turn) -> Call | Answer:
    if len(turn.results) < 2:
        return Call("sign")
    return Answer(f"signed {len(turn.results)} for {turn.data}")


clerk = project.genie("clerk", model=signer, job_description="You sign.", skills=[sign])


@project.recipe()
async def play(job: Job, program: Program) -> list[str]:
    """What the program saw; the root's failures are its own errors."""
    seen: list[str] = []
    try:
        await run(job, program, seen)
    finally:
        seen.append("left")
    return seen


async def run(job: Job, program: Program, seen: list[str]) -> None:
    for statement in program:
        await STATEMENTS[statement[0]](job, seen, *statement[1:])


def call_of(job: Job, kind: str, label: Any) -> Any:
    """A job call, for `gather`."""
    match kind:
        case "step":
            return job.step(act, job, label)
        case "fail":
            return job.step(refuse, job, label)
        case "wait":
            return job.wait_for(label, str)
        case "sleep":
            return job.sleep(0.01)
        case "task":
            return job.assign_task(clerk, "Sign.", data=label)
        case "gather":
            return job.gather(*[call_of(job, *each) for each in label], on_error="collect")
        case _:
            return job.call(play, label)


def shown(value: Any) -> str:
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return getattr(value, "response", None) or repr(value)


async def one(job: Job, seen: list[str], kind: str, label: Any) -> None:
    seen.append(shown(await call_of(job, kind, label)))


async def gather(job: Job, seen: list[str], calls: list[Any], on_error: str) -> None:
    made = [call_of(job, *each) for each in calls]
    seen.append(shown(await job.gather(*made, on_error=on_error)))


async def map_(job: Job, seen: list[str], programs: list[Program], limit: int | None) -> None:
    seen.append(shown(await job.map(play, programs, limit=limit, on_error="collect")))


async def try_(job: Job, seen: list[str], body: Program, handler: Program, after: Program) -> None:
    try:
        await run(job, body, seen)
    except (LampworkError, Refused) as error:
        seen.append(f"handled {type(error).__name__}")
        await run(job, handler, seen)
    finally:
        await run(job, after, seen)


async def closure(job: Job, seen: list[str], label: str, times: int) -> None:
    total = Decimal(0)

    async def add(suffix: str) -> None:
        nonlocal total
        total += (await job.step(act, job, label + suffix)).amount

    for n in range(times):
        await add("+" * n)
    seen.append(str(total))


async def raise_(job: Job, seen: list[str], label: str) -> None:
    raise Refused(label)


async def world(job: Job, seen: list[str]) -> None:
    """Time and chance decide, and the record makes them the same for ever."""
    moment, chance = await job.now(), await job.random()
    again = (moment, chance)
    await job.step(act, job, "world")
    assert again == (moment, chance)


async def hurry(job: Job, seen: list[str], label: str) -> None:
    try:
        await job.wait_for(f"never {label}", timeout=0.02)
    except WaitTimedOut:
        seen.append("too late")


STATEMENTS = {
    "one": one,
    "gather": gather,
    "map": map_,
    "try": try_,
    "closure": closure,
    "raise": raise_,
    "world": world,
    "hurry": hurry,
}


class Maker:
    """Makes programs of bounded size from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.labels = 0
        self.children = 0

    def label(self) -> str:
        self.labels += 1
        return f"l{self.labels}"

    def program(self, depth: int = 0) -> Program:
        return [self.statement(depth) for _ in range(self.chance.randint(1, 3))]

    def statement(self, depth: int) -> list[Any]:
        kinds = ["one"] * 4 + ["gather"] * 3 + ["closure", "world", "hurry"]
        if depth < 2:
            kinds += ["map", "try", "try", "raise"]
        match self.chance.choice(kinds):
            case "gather":
                calls = [self.call(depth) for _ in range(self.chance.randint(2, 4))]
                return ["gather", calls, self.chance.choice(["raise", "collect"])]
            case "map":
                items = [self.child(depth) for _ in range(self.chance.randint(1, 3))]
                return ["map", items, self.chance.choice([None, 1, 2])]
            case "try":
                return ["try", *[self.program(depth + 1) for _ in range(3)]]
            case "closure":
                return ["closure", self.label(), self.chance.randint(1, 3)]
            case "world":
                return ["world"]
            case "one":
                return ["one", *self.call(depth)]
            case kind:
                return [kind, self.label()]

    def call(self, depth: int) -> list[Any]:
        kinds = ["step", "step", "fail", "wait", "wait", "sleep", "task"]
        if depth < 2:
            kinds += ["call", "gather"]
        match self.chance.choice(kinds):
            case "call":
                return ["call", self.child(depth)]
            case "gather":
                return ["gather", [self.call(depth + 1) for _ in range(2)]]
            case kind:
                return [kind, self.label()]

    def child(self, depth: int) -> Program:
        self.children += 1
        return self.program(depth + 1) if self.children <= 5 else [["closure", self.label(), 1]]


def events_of(program: Any) -> list[str]:
    """The events that a job of this program waits for, not those of jobs below it."""
    if not isinstance(program, list) or not program:
        return []
    match program:
        case ["wait", str(name)] | ["one", "wait", str(name)]:
            return [name]
        case ["call", _] | ["one", "call", _] | ["map", *_]:
            return []
        case _:
            return [name for part in program for name in events_of(part)]
