"""The load: one job that does everything once, in as few calls as it takes, and a chat.

Each effect is named `<load>/<effect>`, so that many loads share one service.
"""

from __future__ import annotations

from tests.crash.service import happen, known

from lampwork import (
    Answer,
    Budget,
    Call,
    Calls,
    Cron,
    DidNotHappen,
    File,
    Happened,
    Job,
    Metadata,
    Poll,
    Polled,
    Project,
    RateLimit,
    SkillCall,
    Turn,
    playbook,
)

often = RateLimit(requests_per_minute=60_000)
project = Project("crash", rate_limits={"playbook:clerk": often})

AT_MOST_ONCE = {"letter", "parcel", "wire", "mail", "payout"}
"""Effects that no key makes safe to repeat."""

ITEMS = [f"item {i}" for i in range(3)]
ARRIVALS = [f"arrival {i}" for i in range(2)]
BUDGET = Budget(model_calls=100, skill_calls=5)
"""Of the genie that acts. No call is to be charged less than once, and no skill call twice."""

EFFECTS = {
    *("fee", "post left", "post later", "last", "aside", "closed", "post right", "voucher"),
    *AT_MOST_ONCE,
    *ITEMS,
    *ARRIVALS,
}

RESULT = [
    1,
    ["receipt of fee", "receipt of letter", 2, None],
    [f"receipt of {item}" for item in ITEMS],
    "receipt of parcel; an account; receipt of mail; receipt of post later; receipt of post left; "
    "receipt of wire; to the left; receipt of post left",
    "receipt of last",
]


# --- a genie, its skills ---


@project.skill(effect="read")
def look_up(load: Metadata[str]) -> str:
    """Look the account up."""
    return "an account"


@project.skill(effect="idempotent")
def post_entry(entry: str, load: Metadata[str], call: SkillCall) -> str:
    """Post an entry to the ledger."""
    call.save_artifact("entry.txt", f"to the {entry}".encode(), "text/plain")
    receipt = happen(f"{load}/post {entry}", call.idempotency_key)
    call.save_artifact("receipt.txt", receipt.encode(), "text/plain")
    return receipt


@project.skill()
def wire_money(load: Metadata[str], call: SkillCall) -> str:
    """Wire the money, once. It can be found out whether it was."""
    return happen(f"{load}/wire", call.idempotency_key)


@wire_money.reconcile
def was_it_wired(call: SkillCall) -> Happened[str] | DidNotHappen:
    receipt = known(call.idempotency_key)
    return Happened(receipt) if receipt else DidNotHappen()


@project.skill()
def mail_cheque(load: Metadata[str], call: SkillCall) -> str:
    """Mail the cheque, once. Only a person can find out whether it was."""
    return happen(f"{load}/mail", call.idempotency_key)


@project.recipe()
async def post_later(job: Job, load: Metadata[str]) -> str:
    """Post the entry of the end of the month: a recipe as a skill."""
    await job.sleep(0.05)
    return await job.step(charge, job, f"{load}/post later")


@playbook
def clerk(turn: Turn) -> Call | Calls | Answer:
    match len(turn.results):
        case 0:
            return Calls(Call("look_up"), Call("post_entry", entry=turn.files[0].text))
        case 2:
            return Calls(Call("wire_money"), Call("mail_cheque"), Call("post_later"))
        case _:
            # Calls side by side end in any order.
            return Answer("; ".join(sorted(str(each.value) for each in turn.results)))


bookkeeper = project.genie(
    "bookkeeper",
    model=clerk,
    job_description="Keep books.",
    skills=[look_up, post_entry, wire_money, mail_cheque, post_later],
    max_concurrent_tasks=1,
)


# --- a genie that is talked to, whose calls are confirmed ---

USER = "ann"
NEVER_DONE = "fine"
"""What the user rejects."""


@project.skill(confirm=True)
def pay_out(load: Metadata[str], call: SkillCall) -> str:
    """Pay the money out, once."""
    assert call.user == USER
    return happen(f"{load}/payout", call.idempotency_key)


@project.skill(confirm=True, effect="idempotent")
def adjust(entry: str, load: Metadata[str], call: SkillCall) -> str:
    """Adjust an entry."""
    return happen(f"{load}/post {entry}", call.idempotency_key)


@project.skill(confirm=True)
async def send_voucher(job: Job, load: Metadata[str]) -> str:
    """Send a voucher: a recipe as a skill."""
    return await job.step(charge, job, f"{load}/voucher")


@project.skill(confirm=True)
def fine(load: Metadata[str], call: SkillCall) -> str:
    """Fine somebody."""
    return happen(f"{load}/{NEVER_DONE}", call.idempotency_key)


@playbook
def talking(turn: Turn) -> Call | Calls | Answer:
    if turn.results:
        return Answer("; ".join(sorted(str(each.value) for each in turn.results)))
    proposed = Call("adjust", entry="right"), Call("send_voucher"), Call("fine")
    return Calls(Call("pay_out"), *proposed)


teller = project.genie(
    "teller",
    model=talking,
    job_description="Serve.",
    skills=[pay_out, adjust, send_voucher, fine],
    max_concurrent_tasks=1,
)
REPLY = "None; receipt of payout; receipt of post right; receipt of voucher"


@playbook
def greeting(turn: Turn) -> Answer:
    return Answer(turn.files[0].text)


greeter = project.genie("greeter", model=greeting, job_description="Greet.")

# --- recipes ---


def charge(job: Job, effect: str) -> str:
    return happen(effect, job.step_key())


async def item_of(job: Job, effect: str) -> str:
    await job.sleep(0.01)
    return await job.step(charge, job, effect)


async def closed(job: Job, load: str) -> str:
    return await job.step(charge, job, f"{load}/closed")


@project.recipe()
async def aside(job: Job, load: str) -> str:
    task = await job.assign_task(greeter, "Greet.", files=[File("hello.txt", b"Hello.")])
    return task.response + await job.step(charge, job, f"{load}/aside")


@project.recipe()
async def errand(job: Job, load: str) -> str:
    once = job.options(effect="at_most_once")
    sent = await once.step(charge, job, f"{load}/parcel")
    task = await job.assign_task(
        bookkeeper,
        "Do it.",
        files=[File("entry.txt", b"left")],
        metadata={"load": load},
        budget=BUDGET,
        deadline=3600,
    )
    saved = [(await job.read_artifact(each)).decode() for each in task.artifacts]
    return "; ".join([sent, task.response, *saved])


@project.recipe()
async def everything(job: Job, load: str) -> list[object]:
    job.on_end(closed, load)
    job.log("It begins.")
    once = job.options(effect="at_most_once")
    early = await job.wait_for("early", int)
    together = await job.gather(
        job.step(charge, job, f"{load}/fee"),
        once.step(charge, job, f"{load}/letter"),
        job.wait_for("go", int),
        job.sleep(0.05),
    )
    try:
        items = await job.map(item_of, [f"{load}/{item}" for item in ITEMS], limit=2)
        done = await job.call(errand, load=load)
        await job.start(aside, load=load)
    finally:
        last = await job.step(charge, job, f"{load}/last")
    return [early, together, items, done, last]


# --- what starts by itself ---

loads: list[str] = []
"""Those of this life, for which something arrives."""


def arrivals(cursor: int | None) -> Polled:
    """One thing after the other arrives for each load; what had arrived is told again."""
    here = min((cursor or 0) + 1, len(ARRIVALS)) if loads else 0
    return Polled([{"id": f"{load}/{each}"} for load in loads for each in ARRIVALS[:here]], here)


@project.recipe(triggers=[Poll(arrivals, every=0.25)])
async def receive(job: Job, arrival: dict[str, str]) -> str:
    return await job.step(charge, job, arrival["id"])


@project.recipe(triggers=[Cron("0 0 29 2 *", catch_up="all")])
async def leap_day(job: Job) -> str:
    return str(job.trigger.scheduled_at)
