import asyncio
from collections import Counter
from dataclasses import dataclass

from lampwork import Job, Project, Retry
from lampwork.errors import StepFailed

project = Project("steps")
tried: Counter[str] = Counter()


@dataclass
class Receipt:
    number: int
    key: str


@project.recipe()
async def pay(job: Job, invoice: int) -> str:
    def post() -> Receipt:
        tried["post"] += 1
        if tried["post"] < 3:
            raise ConnectionError("the line is busy")
        return Receipt(invoice, job.step_key().removeprefix(job.id))

    async def look_up() -> None:
        await asyncio.sleep(60)

    patient = job.options(retry=Retry(attempts=5, delay=0.01), name="post the invoice")
    receipt = await patient.step(post)
    try:
        await job.options(timeout=0.05).step(look_up)
    except StepFailed as error:
        return f"{receipt} after {tried['post']} attempts; then {error.error_type}"
    return "paid"


if __name__ == "__main__":
    print(project.run(pay, invoice=7))
