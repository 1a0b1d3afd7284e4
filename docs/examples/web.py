import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import shop


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


async def main() -> None:
    web = SimpleNamespace(state=SimpleNamespace())  # in place of a FastAPI()
    async with lifespan(web):
        job = await post_order(web, "lamp", key="request 1")
        await post_colour(web, job["job_id"], "red")
        print(await web.state.lampwork.result(job["job_id"]))


if __name__ == "__main__":
    asyncio.run(main())
