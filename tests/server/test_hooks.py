"""Webhooks and endpoints over HTTP."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
from tests.support import NEVER, eventually

from lampwork import Endpoint, Job, NotDone, Project, Webhook, clock
from lampwork.people import keys
from lampwork.server import requests, serving
from lampwork.server.authority import KnownCallers
from lampwork.store.store import Store

from .conftest import Serve

SECRET = "whsec_" + "b2xk" * 8
project = Project("desk")


@project.recipe(triggers=[Webhook("in/tickets", secret=SECRET)])
async def triage(job: Job, title: str, priority: int = 1) -> str:
    return title


@project.recipe(triggers=[Endpoint("POST", "orders/{number}", wait=120)])
async def order(
    job: Job, number: int, parcel: dict[str, Any], fast: bool = False
) -> dict[str, Any]:
    return parcel | {"number": number}


@project.recipe(triggers=[Endpoint("GET", "things/{name}", wait=120)])
async def thing(job: Job, name: str) -> str:
    return name


@project.recipe(triggers=[Endpoint("GET", "slow", wait=0)])
async def slow(job: Job) -> str:
    return await job.wait_for("go", str)


def refuse() -> None:
    raise NotDone("we are closed")


@project.recipe(triggers=[Endpoint("DELETE", "closed", wait=120)])
async def closed(job: Job) -> None:
    await job.step(refuse)


def signed(body: Any, id: str = "msg_1") -> dict[str, Any]:
    return signed_text(json.dumps(body), id)


def signed_text(data: str, id: str = "msg_1") -> dict[str, Any]:
    now = datetime.fromtimestamp(clock.now(), UTC)
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
        got = await api.get("/run/desk/orders/7")
        assert (got.status_code, "It takes POST." in got.json()["detail"]) == (404, True)
        near = await api.post("/run/desk/order/7", json={})
        assert 'Did you mean "POST orders/{number}"?' in near.json()["detail"]


async def test_a_query_parameter_that_nobody_reads_starts_no_job(serve: Serve) -> None:
    async with serve(project) as api:
        for name in ("quickly", "number", "parcel"):
            refused = await api.post(f"/run/desk/orders/7?{name}=1", json={})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, name)
            assert "There are: fast." in refused.json()["detail"]
        assert (await api.get("/api/jobs")).json()["items"] == []


async def test_a_path_is_decoded_once(serve: Serve) -> None:
    async with serve(project) as api:
        told = [
            (await api.get(f"/run/desk/things/{each}")).json()
            for each in ("a%2Fb", "100%25", "%2541", "%2500")
        ]
        encoded = await api.get("/run/desk/%74hings/x")
        nul = await api.get("/run/desk/things/%00")

    assert told == ["a/b", "100%", "%41", "%00"]
    assert (encoded.json(), nul.status_code) == ("x", 404)


@pytest.mark.parametrize(
    "body", ['{"title": "\\u0000"}', '{"title": 1e400}', "[" * 10_000], ids=["nul", "inf", "deep"]
)
async def test_a_delivery_that_can_not_be_kept_is_refused(serve: Serve, body: str) -> None:
    async with serve(project, executes=False) as api:
        refused = await api.post("/hooks/desk/in/tickets", **signed_text(body))
        [trigger] = (await api.get("/api/projects/desk/triggers/triage")).json()["items"]

    assert (refused.status_code, refused.json()["code"]) == (422, "input_invalid")
    assert [each["status"] for each in trigger["firings"]] == ["rejected"]


async def test_so_many_deliveries_are_read_at_once_from_one_address(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_DELIVERIES", 1)
    monkeypatch.setattr(requests, "_SILENCE", NEVER)
    monkeypatch.setattr(requests, "_OF_STRANGERS", NEVER)
    head = "POST /hooks/desk/in/tickets HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n"
    async with serve(project, executes=False) as api:
        _, slow = await asyncio.open_connection(api.base_url.host, api.base_url.port)
        slow.write(f"{head}\r\n{{".encode())

        async def refused() -> Any:
            answered = await api.post("/hooks/desk/in/tickets", **signed({"title": "dark"}))
            return answered if answered.status_code == 429 else None

        told = await eventually(refused)
        slow.transport.abort()

        async def taken() -> bool:
            answered = await api.post("/hooks/desk/in/tickets", **signed({"title": "dark"}))
            return answered.status_code == 202

        await eventually(taken)

    assert (told.json()["code"], told.headers["retry-after"]) == ("too_many_deliveries", "1")


async def test_what_proves_something_is_not_kept_of_a_call(serve: Serve) -> None:
    proofs = {
        "Authorization": "Bearer s3cret",
        "X-CSRF-Token": "s3cret",
        "X-Api-Key": "s3cret",
        "X-Gitlab-Token": "s3cret",
        "X-Hub-Signature-256": "s3cret",
        "Paypal-Transmission-Sig": "s3cret",
    }
    async with serve(project) as api:
        called = await api.get("/run/desk/slow", headers=proofs | {"X-From": "the shop"})
        job = (await api.get(called.headers["location"])).json()
        kept = (await api.get(f"{called.headers['location']}/timeline")).text

    assert job["trigger"]["headers"]["x-from"] == "the shop"
    assert "s3cret" not in str(job) + kept


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
