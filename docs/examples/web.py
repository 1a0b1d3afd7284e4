import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import shop

from lampwork.insights import Insights


@asynccontextmanager
async def lifespan(web: Any) -> AsyncGenerator[None]:
    """For `FastAPI(lifespan=lifespan)`: the jobs are executed as long as the server runs."""
    async with shop.project.open() as app:
        web.state.lampwork = app
        yield


async def post_order(web: Any, item: str, key: str) -> dict[str, str]:
    """A route: the order is on disk when it returns."""
    job = await web.state.lampwork.start(shop.order, item=item, idempotency_key=key)
    return {"job_id": job.job_id}


async def post_colour(web: Any, job_id: str, colour: str) -> None:
    await web.state.lampwork.send_event(job_id, "colour", colour)


async def get_order(web: Any, job_id: str) -> dict[str, Any]:
    """What a page shows: how far the job is, and for what it waits."""
    job = await Insights(web.state.lampwork.store).view(job_id)
    return {"status": job.status, "waits_for": [wait.what for wait in job.waiting_on]}


async def main() -> None:
    web = SimpleNamespace(state=SimpleNamespace())  # in place of a FastAPI()
    async with lifespan(web):
        job = await post_order(web, "lamp", key="request 1")
        order: dict[str, Any] = {"waits_for": []}
        while not order["waits_for"]:
            await asyncio.sleep(0.1)  # a page would look again
            order = await get_order(web, job["job_id"])
        print("waits for", order["waits_for"])
        await post_colour(web, job["job_id"], "red")
        print(await web.state.lampwork.result(job["job_id"]))


if __name__ == "__main__":
    asyncio.run(main())
