import asyncio

from lampwork import Job, Project
from lampwork.errors import WaitTimedOut

project = Project("waits")


def tell(text: str) -> None:
    print(text)


@project.recipe()
async def order(job: Job, item: str) -> str:
    job.on_end(tell, f"the order of the {item} has ended")
    job.log("waits for the payment")
    amount = await job.wait_for("paid", int)
    await job.sleep(0.01)
    try:
        size = await job.wait_for("size", str, timeout=0.01)
    except WaitTimedOut:
        size = "any size"
    return f"{item} for {amount}, {size}"


async def main() -> None:
    async with project.open() as app:
        job = await app.start(order, item="lamp", idempotency_key="order 7")
        again = await app.start(order, item="lamp", idempotency_key="order 7")
        await app.send_event(job.job_id, "paid", 12)
        result = await app.result(job.job_id)
        await app.result(f"{job.job_id}.0.1")  # what on_end runs is a job of its own
        print(result, "| one job:", job == again)


@project.recipe()
async def day(job: Job) -> str:
    """Ends when the order has come, but not before the evening."""
    ordered, _ = await job.gather(job.call(order, "lamp"), job.sleep(8 * 3600))
    return ordered


if __name__ == "__main__":
    asyncio.run(main())
