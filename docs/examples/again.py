import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from lampwork import Job, Project
from lampwork.errors import JobFailed

project = Project("again")
out_of_paper = True


def charge(order: str) -> str:
    print("charging", order)
    return f"receipt {order}"


def print_label(order: str) -> str:
    if out_of_paper:
        raise OSError("out of paper")
    return f"label {order}"


@project.recipe()
async def ship(job: Job, order: str) -> list[str]:
    receipt = await job.options(effect="at_most_once").step(charge, order)
    return [receipt, await job.step(print_label, order)]


async def main(home: Path) -> None:
    global out_of_paper
    async with project.open(home) as app:
        job = await app.start(ship, order="A7")
        try:
            await app.result(job)
        except JobFailed as error:
            print(error.error["message"])
        out_of_paper = False

        plan = await app.plan_retry(job)
        print("kept:", [call.name for call in plan.kept])
        print("again:", [call.name for call in plan.again])
        print(await app.result(await app.copy(plan)))

        for effect in (await app.plan_rerun(job)).repeated:
            print("a rerun repeats", effect.what, effect.effect, effect.happened, effect.failed)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
