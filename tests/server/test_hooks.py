"""Webhooks and endpoints over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
from tests.support import eventually

from lampwork import Endpoint, Job, NotDone, Project, Webhook, clock
from lampwork.people import keys
from lampwork.server.authority import KnownCallers
from lampwork.store.store import Store

from .conftest import Serve

SECRET = "whsec_" + "b2xk" * 8
project = Project("desk")


@project.recipe(triggers=[Webhook("in/tickets", secret=SECRET)])
async def triage(job: Job, title: str, priority: int = 1) -> str:
    return title


@project.recipe(triggers=[Endpoint("POST", "orders/{number}", wait=20)])
async def order(job: Job, number: int, parcel: dict[str, Any]) -> dict[str, Any]:
    return parcel | {"number": number}


@project.recipe(triggers=[Endpoint("GET", "slow", wait=0)])
async def slow(job: Job) -> str:
    return await job.wait_for("go", str)


def refuse() -> None:
    raise NotDone("we are closed")


@project.recipe(triggers=[Endpoint("DELETE", "closed", wait=20)])
async def closed(job: Job) -> None:
    await job.step(refuse)


def signed(body: Any, id: str = "msg_1") -> dict[str, Any]:
    data, now = json.dumps(body), datetime.fromtimestamp(clock.now(), UTC)
    signature = standardwebhooks.Webhook(SECRET).sign(id, now, data)
    stamp = str(int(now.timestamp()))
    headers = {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature}
    return {"content": data, "headers": headers}


async def test_a_delivery_is_taken_once_by_its_signature_alone(serve: Serve) -> None:
    def knows(store: Store) -> KnownCallers:
        return KnownCallers(store, on_loopback=False)

    async with serve(project, authority=knows) as api:
        first = await api.post("/hooks/desk/in/tickets", **signed({"title": "dark"}))
        again = await api.post("/hooks/desk/in/tickets", **signed({"title": "dark"}))
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.json() == {"job_id": first.json()["job_id"], "is_new": False}

        forged = await api.post("/hooks/desk/in/tickets", json={"title": "dark"})
        misfit = await api.post("/hooks/desk/in/tickets", **signed({"title": 7}, "msg_2"))
        assert (forged.status_code, forged.json()["code"]) == (401, "delivery_refused")
        assert misfit.status_code == 422
        assert misfit.json()["errors"][0]["field"] == "title"
        for path in ("/hooks/desk/other", "/hooks/bank/in/tickets", "/hooks/desk/in"):
            assert (await api.post(path, **signed({}, "msg_3"))).status_code == 404
        assert (await api.post("/run/desk/orders/7", json={})).status_code == 401


async def test_an_endpoint_answers_with_what_its_job_returned(serve: Serve) -> None:
    async with serve(project) as api:
        done = await api.post("/run/desk/orders/7", json={"kilos": 2})

        assert (done.status_code, done.json()) == (200, {"kilos": 2, "number": 7})
        job = (await api.get(done.headers["location"])).json()
        assert (job["status"], job["recipe"]) == ("succeeded", "order")
        misfit = await api.post("/run/desk/orders/x", json={})
        assert (misfit.status_code, misfit.json()["errors"][0]["field"]) == (422, "number")
        assert (await api.post("/run/desk/orders/7", content="{")).status_code == 422
        assert (await api.get("/run/desk/orders/7")).status_code == 404


async def test_what_takes_longer_is_202_with_the_address_of_the_job(serve: Serve) -> None:
    async with serve(project) as api:
        keyed = {"headers": {"Idempotency-Key": "k"}}
        waiting = await api.get("/run/desk/slow", **keyed)
        assert waiting.status_code == 202

        address = waiting.headers["location"]
        assert (await api.get("/run/desk/slow", **keyed)).headers["location"] == address
        assert address == f"/api/jobs/{waiting.json()['job_id']}"
        await api.post(f"{address}/events/go", json={"value": "went"})

        async def has_ended() -> bool:
            return (await api.get(address)).json()["status"] == "succeeded"

        await eventually(has_ended)


async def test_a_job_that_fails_is_a_problem(serve: Serve) -> None:
    async with serve(project) as api:
        failed = await api.delete("/run/desk/closed")

    assert failed.status_code >= 500
    assert failed.json()["code"] == "job_failed"
    assert "we are closed" in failed.json()["detail"]


@pytest.mark.parametrize("role", ["viewer", "builder"])
async def test_a_call_takes_a_key_that_may_start_jobs(serve: Serve, role: Any) -> None:
    stores: list[Store] = []

    def knows(store: Store) -> KnownCallers:
        stores.append(store)
        return KnownCallers(store, on_loopback=False)

    async with serve(project, authority=knows) as api:
        key, _ = await keys.make(stores[0], "ci", project="desk", role=role)
        headers = {"Authorization": f"Bearer {key}"}
        done = await api.post("/run/desk/orders/7", json={}, headers=headers)

    assert done.status_code == (200 if role == "builder" else 403)
