import asyncio
from typing import Any

from lampwork import Cron, Job, Poll, Polled, Project

project = Project("shop")
ORDERS: list[dict[str, Any]] = [{"number": 7, "item": "lamp"}, {"number": 8, "item": "vase"}]


def new_orders(cursor: int | None) -> Polled:
    """The orders after the last one that was seen."""
    last = cursor or 0
    found = [order for order in ORDERS if order["number"] > last]
    return Polled(found, cursor=max([last, *(order["number"] for order in found)]))


@project.recipe(triggers=[Poll(new_orders, every=30, key="number")])
async def ship(job: Job, order: dict[str, Any]) -> str:
    return f"order {job.trigger.key}: one {order['item']}"


@project.recipe(triggers=[Cron("0 6 * * 1-5", timezone="Europe/Berlin", catch_up="once")])
async def report(job: Job, day: str = "today") -> str:
    return f"the report of {day}"


async def main() -> None:
    async with project.open() as app:
        for job in await app.fire(ship):
            print(await app.result(job))
        print("then:", await app.fire(ship))
        [job] = await app.fire(report)
        print(await app.result(job))
        print(await app.run(report, day="Monday"))


if __name__ == "__main__":
    asyncio.run(main())
