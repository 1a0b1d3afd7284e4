import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from lampwork import Answer, Project, Retention, Turn, playbook
from lampwork.errors import JobErased
from lampwork.insights import Insights

project = Project("helpdesk", retention=Retention(jobs="90d", conversations="1y"))


@playbook
def friendly(turn: Turn) -> Answer:
    return Answer("Your address is changed.")


desk = project.genie("desk", model=friendly, job_description="You help.")


async def main(home: Path) -> None:
    async with project.open(home) as app:
        await app.chat(desk, "I have moved to 4 Mill Lane.", user="ann")
        job = await app.assign(desk, "Greet ann@example.org.")
        await app.result(job)

        there = await app.plan_erasure(user="ann")
        print("found:", there.amount.jobs, "job,", there.amount.conversations, "conversation")
        await app.erase(user="ann")

        [erased] = there.jobs
        try:
            await app.result(erased)
        except JobErased:
            tombstone = await Insights(app.store).view(erased)
            print("left:", tombstone.status, tombstone.ended_at is not None)

        # Nothing says that this task is about Ann, so it was not found.
        print(await app.result(job) is not None)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
