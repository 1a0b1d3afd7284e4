"""The mixed load: every recipe leaves effects behind that can be foretold."""

from __future__ import annotations

import asyncio

from benchmarks.mixed.effects import arrivals, happen, is_first, known
from lampwork import (
    Answer,
    Budget,
    Call,
    Calls,
    Cron,
    DidNotHappen,
    Happened,
    Job,
    JobRef,
    Metadata,
    Poll,
    Polled,
    Project,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.door import Door
from lampwork.errors import WaitTimedOut

project = Project("chaos")

ITEMS = 4
BULK = 300_000
USER = "ann"
NEVER_DONE = "fine"
"""What the user of a chat rejects."""


# --- steps ---


def charge(job: Job, effect: str) -> str:
    """A plain function: it runs in a thread."""
    return happen(effect, job.step_key(), "idempotent")


async def note(job: Job, effect: str) -> str:
    return await asyncio.to_thread(happen, effect, job.step_key(), "idempotent")


def letter(job: Job, effect: str) -> str:
    return happen(effect, job.step_key(), "at_most_once")


# --- skills of each kind ---


async def _skill(call: SkillCall, effect: str, kind: str) -> str:
    return await asyncio.to_thread(happen, effect, call.idempotency_key, kind)


@project.skill(effect="idempotent")
async def post_entry(number: Metadata[int], entry: str, call: SkillCall) -> str:
    """Post an entry to the ledger."""
    return await _skill(call, f"{number}/{entry}", "idempotent")


@project.skill()
async def wire_money(number: Metadata[int], call: SkillCall) -> str:
    """Wire the money, once. It can be found out whether it was."""
    return await _skill(call, f"{number}/wire", "at_most_once")


@wire_money.reconcile
async def was_it_wired(call: SkillCall) -> Happened[str] | DidNotHappen:
    receipt = await asyncio.to_thread(known, call.idempotency_key)
    return Happened(receipt) if receipt else DidNotHappen()


@project.skill()
async def mail_cheque(number: Metadata[int], call: SkillCall) -> str:
    """Mail the cheque, once. Only a person can find out whether it was."""
    return await _skill(call, f"{number}/cheque", "at_most_once")


@project.recipe()
async def post_later(job: Job, number: Metadata[int]) -> str:
    """Post the entry of the end of the month. A recipe as a skill: a child job of the task."""
    await job.sleep(0.1)
    return await job.step(note, job, f"{number}/later")


@project.skill(effect="idempotent")
async def jot_down(number: Metadata[int], page: Metadata[str], call: SkillCall) -> str:
    """Jot something down on the page."""
    return await _skill(call, f"{number}/{page}", "idempotent")


@project.skill(confirm=True)
async def pay_out(number: Metadata[int], call: SkillCall) -> str:
    """Pay the money out, once, when the user has confirmed it."""
    assert call.user == USER
    return await _skill(call, f"{number}/payout", "at_most_once")


@project.skill(confirm=True)
async def fine(number: Metadata[int], call: SkillCall) -> str:
    """Fine somebody, which no user confirms."""
    return await _skill(call, f"{number}/{NEVER_DONE}", "at_most_once")


# --- genies ---


@playbook
def clerk(turn: Turn) -> Call | Calls | Answer:
    match len(turn.results):
        case 0:
            return Calls(Call("post_entry", entry="left"), Call("post_entry", entry="right"))
        case 2:
            return Calls(Call("wire_money"), Call("mail_cheque"), Call("post_later"))
        case _:
            return Answer("done")


@playbook
def scribbler(turn: Turn) -> Call | Answer:
    return Answer("jotted") if turn.results else Call("jot_down")


@playbook
def delegator(turn: Turn) -> Call | Answer:
    return Answer("delegated") if turn.results else Call("have_it_done")


@playbook
def talker(turn: Turn) -> Calls | Answer:
    return Answer("served") if turn.results else Calls(Call("pay_out"), Call("fine"))


bookkeeper = project.genie(
    "bookkeeper",
    model=clerk,
    job_description="Keep books.",
    skills=[post_entry, wire_money, mail_cheque, post_later],
)
scribe = project.genie("scribe", model=scribbler, job_description="Keep notes.", skills=[jot_down])


@project.recipe()
async def have_it_done(job: Job, number: Metadata[int]) -> str:
    """Have it done by a bookkeeper."""
    task = await job.assign_task(bookkeeper, "Do it.", metadata={"number": number})
    return task.response


foreman = project.genie(
    "foreman", model=delegator, job_description="Let others work.", skills=[have_it_done]
)
teller = project.genie(
    "teller", model=talker, job_description="Serve customers.", skills=[pay_out, fine]
)

# --- recipes ---


@project.recipe()
async def errand(job: Job, number: int) -> str:
    await job.step(charge, job, f"{number}/charge")
    task = await job.assign_task(bookkeeper, "Do it.", metadata={"number": number})
    await job.step(note, job, f"{number}/note")
    return f"{number}: {task.response}"


@project.recipe()
async def delegated(job: Job, number: int) -> str:
    task = await job.assign_task(
        foreman,
        "See that it is done.",
        metadata={"number": number},
        budget=Budget(model_calls=100, skill_calls=6),
    )
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
    try:
        await job.wait_for("never", timeout=0.3)
    except WaitTimedOut:
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


@project.recipe()
async def doomed(job: Job, number: int) -> None:
    """It waits for what never comes, and is cancelled at some moment."""
    job.on_end(closed, number)
    await job.gather(
        job.wait_for("never"), job.call(errand, number=number), job.call(spread, number=number)
    )


@project.recipe()
async def flawed(job: Job, number: int) -> str:
    """It fails; its retry keeps what was done, and gets further."""
    await job.options(effect="at_most_once").step(letter, job, f"{number}/letter")
    await job.step(charge, job, f"{number}/charge")
    await job.options(effect="read").step(mended, job, number)
    return f"{number}: {await job.step(note, job, f'{number}/note')}"


async def mended(job: Job, number: int) -> None:
    if await asyncio.to_thread(is_first, str(number), job.id):
        raise ValueError("not mended yet")


@project.recipe()
async def bulky(job: Job, number: int) -> str:
    """Its values are too large for their rows."""
    text = await job.step(much, number)
    await job.step(note, job, f"{number}/note")
    return f"{len(text)} of {text[: len(str(number))]}"


async def much(number: int) -> str:
    return f"{number} ".ljust(BULK, ".")


# --- what starts by itself ---


def look(cursor: int | None) -> Polled:
    found = arrivals(cursor or 0)
    return Polled([{"id": each} for each in found], max(found, default=cursor or 0))


@project.recipe(triggers=[Poll(look, every=1.0)])
async def receive(job: Job, arrival: dict[str, int]) -> str:
    return await job.step(charge, job, f"arrival {arrival['id']}")


@project.recipe(triggers=[Cron("* * * * *", catch_up="all")])
async def tick(job: Job) -> str:
    return await job.step(note, job, f"tick {job.trigger.scheduled_at}")


# --- starting one of them, by its number ---


async def start(door: Door, number: int, kind: str, *, keyed: bool) -> JobRef:
    """Have it accepted. With a key a number is one job, however often it is asked for."""
    key = f"number {number}" if keyed else None
    if kind == "chat":
        known = {"number": number}
        return await door.send_message(
            teller, "Settle it.", user=USER, metadata=known, idempotency_key=key
        )
    if kind == "assigned":
        known = {"number": number, "page": "only"}
        return await door.assign(scribe, "Jot.", metadata=known, idempotency_key=key)
    return await door.start(project.recipes[kind], idempotency_key=key, number=number)
