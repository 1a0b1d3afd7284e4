"""The shop's project: skills, genies and recipes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from lampwork import (
    Answer,
    Artifact,
    Budget,
    Call,
    Calls,
    CannotComplete,
    Cron,
    DidNotHappen,
    Endpoint,
    File,
    Genie,
    Happened,
    Job,
    JobRef,
    Knowledge,
    LampworkError,
    Metadata,
    Model,
    NotDone,
    Passage,
    Poll,
    Polled,
    Price,
    Project,
    Recent,
    Recipe,
    Retry,
    Sealed,
    Skill,
    SkillCall,
    StillUnknown,
    Summary,
    TaskAnswer,
    Turn,
    Webhook,
    playbook,
)

from . import orders
from .orders import Order, Parcel, Refund, Verdict

project = Project("bookshop", title="The bookshop")

REFUNDS: dict[str, str] = {}
"""What the bank has paid: order by key."""

# --- skills ---


@project.skill(effect="read")
def look_up(order_id: Metadata[str]) -> Order:
    """Look the order up: its title and its price."""
    return orders.find(order_id)


@project.skill(effect="at_most_once", timeout=5.0)
async def refund(note: str, order_id: Metadata[str], call: SkillCall) -> Refund:
    """Give the money back. Use it once the book is in."""
    if not note:
        raise NotDone("The bank wants a note.")
    REFUNDS[call.idempotency_key] = order_id.upper()
    call.save_artifact("receipt.txt", note.encode(), "text/plain")
    return Refund(order_id, call.idempotency_key)


@refund.reconcile
async def was_refunded(
    order_id: Metadata[str], call: SkillCall
) -> Happened[Refund] | DidNotHappen | StillUnknown:
    """Ask the bank."""
    if not REFUNDS:
        return StillUnknown("The bank does not answer.")
    if call.idempotency_key in REFUNDS:
        return Happened(Refund(order_id, call.idempotency_key))
    return DidNotHappen()


@project.skill
def shelve(title: str, copies: int = 1) -> None:
    """Put a book back on the shelf."""


@project.skill(effect="idempotent", retry=Retry(attempts=2), confirm=True, approval=["owner"])
def write_off(title: str) -> bool:
    """Write a book off."""
    return bool(title)


def search_rules(query: str, k: int, user: str | None) -> Sequence[Passage]:
    """The rules for returns."""
    return [Passage("Within 30 days.", source="rules.md")][:k]


rules: Knowledge = project.knowledge("rules", search=search_rules)

# --- genies ---


@playbook
def clerk_script(turn: Turn) -> Call | Calls | Answer | CannotComplete:
    """Decide as the rules say."""
    if not turn.skills:
        return CannotComplete("There is nothing to do it with.", missing=["skills"])
    if not turn.results:
        return Calls(Call(look_up), Call("search_rules", query="how long"))
    if len(turn.results) == 2:
        return Call(refund, note="within 30 days")
    return Answer(Verdict(status="refund", reason="within 30 days"))


@playbook
async def porter_script(turn: Turn) -> Answer:
    """Say how heavy it is."""
    return Answer("about a pound")


clerk: Genie = project.genie(
    "clerk",
    model=clerk_script,
    job_description="You decide on returns.",
    skills=[look_up, refund, shelve],
    knowledge=[rules],
    max_turns=10,
    budget=Budget(dollars=Decimal("0.5"), model_calls=20),
)
porter = project.genie("porter", model=porter_script, job_description="You carry books.")
writer = project.genie(
    "writer",
    model=Model(
        "openai-chat:house",
        base_url="http://localhost:1/v1",
        price=Price(input=0.1, output=0.4),
        fallbacks=("openai:gpt-5.2",),
    ),
    job_description="You write letters.",
)

# --- recipes ---


@project.recipe
async def decide(job: Job, order_id: str) -> Verdict:
    """Let the clerk decide on one return."""
    order = await job.step(orders.find, order_id)
    task: TaskAnswer[Verdict] = await job.assign_task(
        clerk,
        "Decide what to do about this return.",
        data={"title": order.title, "price": str(order.price)},
        files=[File("invoice.txt", orders.invoice(order), "text/plain")],
        metadata={"order_id": Sealed(order.id)},
        output=Verdict,
        on_problem="Say what is missing.",
        deadline=timedelta(minutes=5),
        when_busy="wait",
        when_paused="fail",
    )
    if task.artifacts:
        receipt: Artifact = task.artifacts[0]
        job.log(f"{receipt.name}: {len(await job.read_artifact(receipt))} bytes")
    return task.output


@project.recipe()
async def weigh(job: Job, order_id: str) -> str:
    """Ask the porter twice in one conversation."""
    first = await job.assign_task(porter, "How heavy is it?")
    again = await job.assign_task(
        porter, "Are you sure?", conversation=first.conversation_id, history=Recent(2)
    )
    last = await job.assign_task(
        "porter", "Really?", conversation=again.conversation_id, history=Summary(words=50)
    )
    return f"{order_id}: {last.output}"


async def new_parcels(cursor: str | None) -> Polled:
    """What the carrier has brought since."""
    parcels: list[Parcel] = [{"tracking": "p-1", "grams": 500}]
    return Polled(parcels, cursor or "1")


async def post(job: Job, order: Order) -> Parcel:
    """Send one book."""
    grams = await job.step(orders.weigh, order, wrapped=True)
    return {"tracking": f"p-{order.id}", "grams": grams}


@project.recipe(
    name="nightly",
    triggers=[
        Cron("0 3 * * *", timezone="Europe/Berlin", catch_up="once"),
        Poll(new_parcels, every=timedelta(minutes=5), key="tracking"),
        Webhook("parcels", secret_env="CARRIER_SECRET"),
        Endpoint("POST", "parcels", wait=10),
    ],
)
async def review(job: Job, parcel: Parcel | None = None) -> list[str]:
    """Decide on all returns, and send what goes out."""
    back = await job.options(timeout=10, retry=Retry(attempts=3)).step(orders.returned, at_most=2)
    heavy, verdict = await job.gather(
        job.step(orders.weigh, back[0]), job.call(decide, order_id=back[1].id)
    )
    sent = await job.map(post, back, limit=2, on_error="collect")
    detached: JobRef = await job.start(weigh, back[0].id)
    job.on_end(report, "nightly")
    failed = [str(each) for each in sent if isinstance(each, LampworkError)]
    return [verdict.status, detached.job_id, str(heavy), *failed]


async def report(job: Job, what: str) -> None:
    """Say that it is over."""
    job.log(f"{what} is over, started by {job.trigger.kind}")


recipes: tuple[Recipe[[str], Verdict], Recipe[[str], str]] = (decide, weigh)
lookup: Skill[[str], Order] = look_up
