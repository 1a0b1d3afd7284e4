from lampwork import Job, Project
from lampwork.errors import BranchesFailed

project = Project("parcels")


def weigh(parcel: str) -> int:
    if not parcel:
        raise ValueError("there is no parcel")
    return len(parcel)


def price(weight: int) -> int:
    return 4 + weight


async def quote(job: Job, parcel: str) -> int:
    return await job.step(price, await job.step(weigh, parcel))


@project.recipe()
async def total(job: Job, parcels: list[str]) -> int:
    return sum(await job.map(quote, parcels, limit=4))


@project.recipe()
async def day(job: Job) -> list[str]:
    weight, cost = await job.gather(job.step(weigh, "lamp"), job.call(total, ["lamp", "book"]))
    lines = [f"the lamp weighs {weight}, both cost {cost}"]
    try:
        await job.map(quote, ["chair", ""])
    except BranchesFailed as failed:
        lines.append(f"results {failed.results}, failed items {list(failed.errors)}")
    kept = await job.map(quote, ["chair", ""], on_error="collect")
    lines.append(f"collected: {kept[0]} and a {type(kept[1]).__name__}")
    started = await job.start(total, ["desk"])
    lines.append(f"started {started.job_id.removeprefix(job.id)} and did not wait")
    return lines


if __name__ == "__main__":
    print("\n".join(project.run(day)))
