from typing import Literal

from pydantic import BaseModel

from lampwork import Answer, Call, Job, Metadata, Project, SkillCall, Turn, playbook

project = Project("returns")


class Verdict(BaseModel):
    decision: Literal["refunded", "refused"]
    reason: str


@project.skill(effect="read")
def days_since(order: Metadata[str]) -> int:
    """Days since the order was delivered."""
    return {"A-17": 9}[order]


@project.skill(effect="idempotent")
async def refund(cents: int, order: Metadata[str], call: SkillCall) -> str:
    """Refund a part of the order, in cents. Only within 14 days."""
    print(f"refund {cents} of {order}, key …{call.idempotency_key[-6:]}")
    return f"refunded {cents}"


@playbook  # stands in for a model; model="openai:gpt-5.2" would do as well
def script(turn: Turn) -> Call | Answer:
    match len(turn.results):
        case 0:
            return Call("days_since")
        case 1:
            return Call("refund", cents=500, order="B-99")  # somebody else's order
        case 2:
            print("told:", turn.results[1].error)
            return Call("refund", cents=500)
        case _:
            return Answer({"decision": "refunded", "reason": f"{turn.results[0].value} days"})


clerk = project.genie(
    "clerk",
    model=script,
    job_description="You handle returns.",
    skills=[days_since, refund],
)


@project.recipe()
async def handle(job: Job, order: str, letter: str) -> Verdict:
    task = await job.assign_task(
        clerk,
        "A customer wants money back. Decide, and refund if it is due.",
        data={"letter": letter},
        on_problem="Refuse, and say why.",
        metadata={"order": order},
        output=Verdict,
    )
    for action in task.actions:
        print(f"{action.skill}({action.arguments}): {action.status}")
    return task.output


if __name__ == "__main__":
    print(repr(project.run(handle, order="A-17", letter="The lamp hums.")))
