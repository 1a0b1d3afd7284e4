"""Answers people who ask where their parcel is; if it is late, they get a voucher."""

from typing import Literal

from lampwork import Answer, Call, Job, Metadata, Project, SkillCall, Turn, playbook
from pydantic import BaseModel

project = Project("parcels")

# Two of the shop's services. Yours would be asked over the network.
DAYS_LATE = {"A-1001": 4, "A-1002": 0}
VOUCHERS: dict[str, tuple[str, int]] = {}  # by idempotency key, so that a repeated call adds none


class Reply(BaseModel):
    text: str
    voucher: Literal[0, 5, 10] = 0


@project.skill(effect="idempotent")
def give_voucher(euros: Literal[5, 10], order: Metadata[str], call: SkillCall) -> str:
    """Give a voucher to the customer. Use it once, when the parcel is three days late or more."""
    # The model can say how much, not for which order: that comes from the task's metadata.
    VOUCHERS[call.idempotency_key] = (order, euros)
    return f"a voucher of {euros} euros is on its way"


@playbook
def script(turn: Turn) -> Call | Answer:
    """Stands in for a model, so that no key is needed."""
    if turn.data["days_late"] < 3:
        return Answer({"text": "Your parcel is on time."})
    if not turn.results:
        return Call("give_voucher", euros=5)
    return Answer({"text": f"We are sorry: {turn.results[0].value}.", "voucher": 5})


support = project.genie(
    "support",
    model=script,  # a real one: model="openai:gpt-5.2", or LAMPWORK_MODEL=openai:gpt-5.2
    job_description="You answer the customers of a shop, in one or two friendly sentences.",
    skills=[give_voucher],
)


def days_late(order: str) -> int:
    return DAYS_LATE[order]


@project.recipe()
async def answer_customer(job: Job, order: str, question: str) -> Reply:
    """Answer a question about an order."""
    late = await job.step(days_late, order)  # recorded: after a crash it is not asked again
    task = await job.assign_task(
        support,
        "Answer the customer's question.",
        data={"question": question, "days_late": late},
        metadata={"order": order},
        output=Reply,
    )
    return task.output
