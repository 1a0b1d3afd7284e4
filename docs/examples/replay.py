import asyncio

from lampwork import Job, Project, Settings

project = Project("replay")


def charge(customer: str) -> str:
    print("  charging", customer)
    return f"receipt for {customer}"


@project.recipe()
async def ship(job: Job, customer: str) -> str:
    print("the recipe runs from its beginning")
    receipt = await job.step(charge, customer)
    print("  has the", receipt)
    await job.sleep(1.0)
    return f"shipped, with the {receipt}"


async def main() -> None:
    settings = Settings.load(park_after=0.0)  # park at once instead of after 30 s
    async with project.open(settings=settings) as app:
        print(await app.run(ship, customer="Ada"))


if __name__ == "__main__":
    asyncio.run(main())
