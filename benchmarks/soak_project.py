"""The mixed load of the soak: every recipe leaves effects behind that can be foretold."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from lampwork import (
    Answer,
    Call,
    Calls,
    DidNotHappen,
    Happened,
    Job,
    Metadata,
    Project,
    SkillCall,
    Turn,
    playbook,
)

project = Project("soak")
ITEMS = 4


def ask(path: str, body: dict[str, Any] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = Request(os.environ["SOAK_SERVICE"] + path, content, headers)
    with urlopen(request, timeout=10) as response:
        return json.load(response)


def happen(effect: str, key: str, kind: str) -> str:
    return ask("/effects", {"effect": effect, "key": key, "kind": kind})["receipt"]


def known(key: str) -> str | None:
    """The receipt of what happened under a key: the service knows."""
    return ask(f"/effects/{quote(key, safe='')}")["receipt"]


# --- steps ---


def charge(job: Job, effect: str) -> str:
    """A plain function: it runs in a thread."""
    return happen(effect, job.step_key(), "idempotent")


async def note(job: Job, effect: str) -> str:
    return await asyncio.to_thread(happen, effect, job.step_key(), "idempotent")


def letter(job: Job, effect: str) -> str:
    return happen(effect, job.step_key(), "at_most_once")


# --- genies and their skills ---


@project.skill(effect="idempotent")
async def post_entry(number: Metadata[int], entry: str, call: SkillCall) -> str:
    """Post an entry to the ledger."""
    effect = f"{number}/{entry}"
    return await asyncio.to_thread(happen, effect, call.idempotency_key, "idempotent")


@project.skill()
async def wire_money(number: Metadata[int], call: SkillCall) -> str:
    """Wire the money, once. It can be found out whether it was."""
    effect = f"{number}/wire"
    return await asyncio.to_thread(happen, effect, call.idempotency_key, "at_most_once")


@wire_money.reconcile
async def was_it_wired(call: SkillCall) -> Happened[str] | DidNotHappen:
    receipt = await asyncio.to_thread(known, call.idempotency_key)
    return Happened(receipt) if receipt else DidNotHappen()


@project.skill()
async def mail_cheque(number: Metadata[int], call: SkillCall) -> str:
    """Mail the cheque, once. Only a person can find out whether it was."""
    effect = f"{number}/cheque"
    return await asyncio.to_thread(happen, effect, call.idempotency_key, "at_most_once")


@project.recipe()
async def post_later(job: Job, number: Metadata[int]) -> str:
    """Post the entry of the end of the month. A recipe as a skill: a child job of the task."""
    await job.sleep(0.1)
    return await job.step(note, job, f"{number}/later")


@playbook
def clerk(turn: Turn) -> Call | Calls | Answer:
    match len(turn.results):
        case 0:
            return Calls(Call("post_entry", entry="left"), Call("post_entry", entry="right"))
        case 2:
            return Calls(Call("wire_money"), Call("mail_cheque"), Call("post_later"))
        case _:
            return Answer("done")


@project.skill(effect="idempotent")
async def jot_down(number: Metadata[int], page: Metadata[str], call: SkillCall) -> str:
    """Jot something down on the page."""
    effect = f"{number}/{page}"
    return await asyncio.to_thread(happen, effect, call.idempotency_key, "idempotent")


@playbook
def scribbler(turn: Turn) -> Call | Answer:
    return Answer("jotted") if turn.results else Call("jot_down")


bookkeeper = project.genie(
    "bookkeeper",
    model=clerk,
    job_description="Keep books.",
    skills=[post_entry, wire_money, mail_cheque, post_later],
)
scribe = project.genie("scribe", model=scribbler, job_description="Keep notes.", skills=[jot_down])


# --- recipes ---


@project.recipe()
async def errand(job: Job, number: int) -> str:
    await job.step(charge, job, f"{number}/charge")
    task = await job.assign_task(bookkeeper, "Do it.", metadata={"number": number})
    await job.step(note, job, f"{number}/note")
    return f"{number}: {task.response}"


@project.recipe()
async def spread(job: Job, number: int) -> str:
    items = [[number, item] for item in range(ITEMS)]
    return f"{number}: {len(await job.map(item_of_spread, items, limit=3))}"


async def item_of_spread(job: Job, item: list[int]) -> str:
    number, place = item
    await job.gather(
        job.step(note, job, f"{number}/{place}/left"),
        job.step(charge, job, f"{number}/{place}/right"),
    )
    await job.sleep(0.1)
    return await job.step(note, job, f"{number}/{place}/end")


@project.recipe()
async def patient(job: Job, number: int) -> str:
    go = await job.wait_for("go", type=int)
    await job.options(effect="at_most_once").step(letter, job, f"{number}/letter")
    inner = await job.call(errand, number=number)
    return f"{number}: {go}, {inner}"


@project.recipe()
async def crowd(job: Job, number: int) -> str:
    """Everything side by side, so that some of it waits while the rest works."""
    job.on_end(closed, number)
    first = await job.assign_task(scribe, "Jot.", metadata={"number": number, "page": "first"})
    on = first.conversation_id
    go, _, letters, left, right, _ = await job.gather(
        job.wait_for("go", type=int),
        job.sleep(0.2),
        job.options(effect="at_most_once").step(letter, job, f"{number}/letter"),
        job.assign_task(
            scribe, "Jot.", conversation=on, metadata={"number": number, "page": "left"}
        ),
        job.assign_task(
            scribe, "Jot.", conversation=on, metadata={"number": number, "page": "right"}
        ),
        job.map(stamp, [number], limit=1),
    )
    return f"{number}: {go}, {letters}, {left.response}, {right.response}"


async def stamp(job: Job, number: int) -> str:
    return await job.options(effect="at_most_once").step(letter, job, f"{number}/stamp")


async def closed(job: Job, number: int) -> str:
    """Runs when the crowd has ended, as a job of its own."""
    return await job.step(note, job, f"{number}/closed")


RECIPES = (errand, spread, patient, crowd)
KINDS = {recipe.name: recipe for recipe in RECIPES}
WAITING_FOR_GO = (patient.name, crowd.name)

# --- what must come of it ---

ENDS = ("left", "right", "end")
POSTED = ("charge", "left", "right", "note", "later")
SENT_ONCE = ("wire", "cheque")


def kind_of(number: int) -> str:
    return RECIPES[number % len(RECIPES)].name


def expected(number: int) -> tuple[str, dict[str, str]]:
    """What job `number` must give, and the effects it must leave: their names and kinds."""
    letters = {f"{number}/letter": "at_most_once"}
    errands = {f"{number}/{what}": "idempotent" for what in POSTED}
    errands |= {f"{number}/{what}": "at_most_once" for what in SENT_ONCE}
    match kind_of(number):
        case "errand":
            return f"{number}: done", errands
        case "spread":
            places = [f"{number}/{item}/{end}" for item in range(ITEMS) for end in ENDS]
            return f"{number}: {ITEMS}", dict.fromkeys(places, "idempotent")
        case "patient":
            return f"{number}: {number}, {number}: done", errands | letters
        case _:
            pages = [f"{number}/{what}" for what in ("first", "left", "right", "closed")]
            stamps = {f"{number}/stamp": "at_most_once"}
            value = f"{number}: {number}, receipt of {number}/letter, jotted, jotted"
            return value, dict.fromkeys(pages, "idempotent") | letters | stamps
