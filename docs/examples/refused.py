import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from lampwork import Job, Project, Retry
from lampwork.errors import LampworkError

project = Project("refused")


def weigh(parcel: str) -> int:
    return len(parcel)


def today():  # no return annotation: plain JSON only
    return date(2026, 11, 20)


async def own_task(job: Job) -> None:
    async def both() -> None:
        await job.step(weigh, "lamp")

    await asyncio.create_task(both())


async def inside_a_step(job: Job) -> None:
    async def nested() -> int:
        return await job.step(weigh, "lamp")

    await job.step(nested)


async def awaited_twice(job: Job) -> None:
    call = job.step(weigh, "lamp")
    await call
    await call


async def gather_a_coroutine(job: Job) -> None:
    sleeping = asyncio.sleep(0)
    try:
        await job.gather(sleeping)  # type: ignore[arg-type]  # the misuse
    finally:
        sleeping.close()


async def a_lambda_under_map(job: Job) -> None:
    await job.map(lambda job, parcel: job.step(weigh, parcel), ["lamp"])


async def not_json(job: Job) -> None:
    await job.step(today)


async def retried_at_most_once(job: Job) -> None:
    await job.options(effect="at_most_once", retry=Retry()).step(weigh, "lamp")


async def cut_off(job: Job) -> None:
    async with asyncio.timeout(0.01):
        await job.wait_for("never")


MISUSES: list[Callable[[Job], Awaitable[Any]]] = [
    own_task,
    inside_a_step,
    awaited_twice,
    gather_a_coroutine,
    a_lambda_under_map,
    not_json,
    retried_at_most_once,
]


@project.recipe()
async def misuse(job: Job) -> list[str]:
    refused: list[str] = []
    for each in MISUSES:
        try:
            await each(job)
        except LampworkError as error:
            refused.append(f"{each.__name__}: {type(error).__name__}")
    return refused


@project.recipe()
async def interrupted(job: Job) -> None:
    await cut_off(job)


if __name__ == "__main__":
    print("\n".join(project.run(misuse)))
    try:
        project.run(interrupted)
    except LampworkError as error:
        print(f"cut_off: {error.error['code']}")
