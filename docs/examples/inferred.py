import asyncio
from typing import Literal

from pydantic import BaseModel

from lampwork import Answer, Job, Metadata, Project, SkillCall, Turn, playbook

project = Project("inferred")


class Verdict(BaseModel):
    status: Literal["refund", "refuse"]


@project.skill(effect="idempotent")
async def refund(cents: int, order_id: Metadata[str], call: SkillCall) -> str:
    """Give money back for the order."""
    return f"{order_id.upper()}: {cents} cents"


@playbook
def script(turn: Turn) -> Answer:
    return Answer(Verdict(status="refund"))


clerk = project.genie("clerk", model=script, job_description="You decide.", skills=[refund])


def weigh(title: str, *, wrapped: bool = False) -> int:
    return 50 * len(title) + 80 * wrapped


@project.recipe()
async def decide(job: Job, order_id: str) -> Verdict:
    task = await job.assign_task(clerk, "Decide.", metadata={"order_id": order_id}, output=Verdict)
    return task.output  # a Verdict


@project.recipe()
async def review(job: Job, order_ids: list[str]) -> str:
    grams = await job.step(weigh, "Emma", wrapped=True)  # an int
    again, verdict = await job.gather(  # an int and a Verdict
        job.step(weigh, "Emma"), job.call(decide, order_ids[0])
    )
    found = await job.map(decide, order_ids, on_error="collect")  # of Verdict | JobFailed
    return f"{grams} {again} {verdict.status} {len(found)}"


if __name__ == "__main__":
    print(project.run(review, order_ids=["o-1", "o-2"]))  # a str
    print(asyncio.run(refund(500, "o-1", SkillCall("key", "t1", "c1"))))  # as a plain function
