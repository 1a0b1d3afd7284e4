import asyncio
import base64
import hmac
import json
import time
from typing import Any

from lampwork import Endpoint, Job, Project, Webhook

project = Project("desk")
SECRET = "whsec_" + base64.b64encode(b"a secret of 32 bytes, not in code").decode()


@project.recipe(triggers=[Webhook("tickets", secret=SECRET)])
async def triage(job: Job, ticket: dict[str, Any]) -> str:
    return f"{job.trigger.delivery}: {ticket['title']}"


@project.recipe(triggers=[Endpoint("POST", "orders/{number}", wait=10)])
async def ship(job: Job, number: int, parcel: dict[str, Any], fast: bool = False) -> str:
    return f"order {number}: {parcel['weight']} kg, {'fast' if fast else 'slow'}"


def sign(delivery: str, body: bytes) -> dict[str, str]:
    """What a sender does, or its library."""
    now = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{delivery}.{now}.".encode() + body, "sha256")
    return {
        "webhook-id": delivery,
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


async def main() -> None:
    async with project.open() as app:
        body = json.dumps({"title": "the lamp is dark"}).encode()
        first = await app.receive("tickets", sign("msg_1", body), body)
        again = await app.receive("tickets", sign("msg_1", body), body)
        print(await app.result(first.job_id), again.job_id == first.job_id)

        called = await app.call_endpoint(
            "POST", "orders/7", query={"fast": "yes"}, headers={}, body={"weight": 2}
        )
        print(await app.result(called.job_id))


if __name__ == "__main__":
    asyncio.run(main())
