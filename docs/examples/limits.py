import asyncio

from lampwork import Answer, Job, Project, RateLimit, Turn, playbook
from lampwork.errors import QueueFull

project = Project(
    "ledger",
    max_queued=1000,  # jobs that wait to begin, before new ones are refused
    rate_limits={"openai": RateLimit(requests_per_minute=500, tokens_per_minute=200_000)},
)
at_work = most = 0
posted: list[str] = []


@playbook
async def careful(turn: Turn) -> Answer:
    global at_work, most
    at_work += 1
    most = max(most, at_work)
    await asyncio.sleep(0.01)
    at_work -= 1
    return Answer("in order")


clerk = project.genie(
    "clerk", model=careful, job_description="You check entries.", max_concurrent_tasks=2
)


@project.recipe(concurrency=5)
async def check(job: Job, entry: str) -> str:
    return (await job.assign_task(clerk, "Check it.", data=entry)).output


@project.recipe(concurrency=1, ordered=True)
async def post(job: Job, entry: str) -> None:
    await job.call(check, entry=entry)
    await job.step(posted.append, entry)


async def main() -> None:
    async with project.open() as app:
        try:
            jobs = [await app.start(post, entry=f"entry {number}") for number in range(3)]
            jobs += [await app.start(check, entry=f"draft {number}") for number in range(5)]
        except QueueFull as error:
            print(error)
            return
        for job in jobs:
            await app.result(job.job_id)
    print(f"posted in order: {', '.join(posted)}")
    print(f"tasks of the clerk at once: {'two at the most' if most <= 2 else most}")


if __name__ == "__main__":
    asyncio.run(main())
