"""`job.call_endpoint`: a job calls an endpoint, here its own server's, and has what it returns."""

from __future__ import annotations

from typing import Any, Literal

import httpx
import pytest
from pydantic import BaseModel
from tests.support import eventually

from lampwork import Endpoint, Job, NotDone, Project
from lampwork.errors import EndpointFailed, LampworkError, OutboundRefused, WaitTimedOut
from lampwork.people import keys
from lampwork.server.authority import KnownCallers
from lampwork.store.store import Store

from .conftest import Serve

desk = Project("desk", allow_hosts=["127.0.0.1"])


class Parcel(BaseModel):
    number: int
    kilos: float


@desk.recipe(triggers=[Endpoint("POST", "parcels/{number}", wait=120)])
async def weigh(job: Job, number: int, parcel: dict[str, Any]) -> Parcel:
    return Parcel(number=number, kilos=parcel["grams"] / 1000)


@desk.recipe(triggers=[Endpoint("GET", "slow", wait=0)])
async def slow(job: Job) -> str:
    return await job.wait_for("go", str)


def refuse() -> None:
    raise NotDone("we are closed")


@desk.recipe(triggers=[Endpoint("DELETE", "closed", wait=120), Endpoint("PUT", "closed", wait=0)])
async def closed(job: Job) -> None:
    await job.step(refuse)


@desk.recipe()
async def ask(job: Job, url: str, number: int) -> list[str]:
    path = f"{url}/run/desk/parcels/{number}"
    parcel = await job.call_endpoint(path, {"grams": 1500}, output=Parcel, key_env="DESK_KEY")
    return [type(parcel).__name__, str(parcel.kilos)]


@desk.recipe()
async def ask_slowly(job: Job, url: str, seconds: float | None = None) -> str:
    return await job.call_endpoint(url, output=str, method="GET", timeout=seconds)


@desk.recipe()
async def ask_side_by_side(job: Job, url: str) -> list[str]:
    answer = job.call_endpoint(f"{url}/run/desk/slow", method="GET")
    return [*await job.gather(answer, job.wait_for("too", str))]


@desk.recipe()
async def ask_in_vain(
    job: Job, url: str, method: Literal["POST", "GET", "PUT", "DELETE"], body: Any = None
) -> list[Any]:
    try:
        return [await job.call_endpoint(url, body, output=int, method=method)]
    except (EndpointFailed, OutboundRefused) as error:
        return [error.code, error.fields.get("answered"), error.fields.get("problem")]


async def started(api: httpx.AsyncClient, recipe: str, **input: Any) -> str:
    answered = await api.post(f"/api/projects/desk/recipes/{recipe}/jobs", json={"input": input})
    assert answered.status_code == 202, answered.text
    return answered.json()["job_id"]


async def shown(api: httpx.AsyncClient, job_id: str, *statuses: str) -> Any:
    async def found() -> Any:
        job = (await api.get(f"/api/jobs/{job_id}")).json()
        return job if job["status"] in statuses else None

    return await eventually(found, f"{job_id} never {statuses}")


async def ended(api: httpx.AsyncClient, job_id: str) -> Any:
    return await shown(api, job_id, "succeeded", "failed")


async def test_it_has_what_the_endpoint_returned_as_its_type(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores: list[Store] = []

    def knows(store: Store) -> KnownCallers:
        stores.append(store)
        return KnownCallers(store, on_loopback=False)

    async with serve(desk, authority=knows) as api:
        key, _ = await keys.make(stores[0], "desk", project="desk", role="builder")
        api.headers["Authorization"] = f"Bearer {key}"
        unset = await ended(api, await started(api, "ask", url=str(api.base_url), number=6))
        monkeypatch.setenv("DESK_KEY", key)
        job = await ended(api, await started(api, "ask", url=str(api.base_url), number=7))

    assert job["output"] == ["Parcel", "1.5"]
    assert [call["name"] for call in job["calls"]] == ["POST /run/desk/parcels/7"]
    assert "DESK_KEY" in unset["error"]["message"]


@pytest.mark.usefixtures("place")
async def test_what_takes_longer_parks_the_job_until_it_has_ended(serve: Serve) -> None:
    async with serve(desk, park_after=0.05) as api:
        asking = await started(api, "ask_slowly", url=f"{api.base_url}/run/desk/slow")

        async def accepted() -> Any:
            job = await shown(api, asking, "suspended")
            return [each for each in job["waiting_on"] if each["subject"]["at"]]

        [waits] = await eventually(accepted)
        slow_job = waits["subject"]["at"]
        await api.post(f"{slow_job}/events/go", json={"value": "went"})
        job = await ended(api, asking)
        slow_jobs = (await api.get("/api/jobs", params={"recipe": "slow"})).json()["items"]

    assert (waits["kind"], job["output"]) == ("endpoint", "went")
    assert waits["subject"]["summary"] == f"{slow_job}/summary"
    assert "/run/desk/slow" in waits["what"]
    assert [f"/api/jobs/{each['job_id']}" for each in slow_jobs] == [slow_job]


async def test_beside_another_wait_it_is_looked_at_all_the_same(serve: Serve) -> None:
    async with serve(desk, park_after=0.0) as api:
        asking = await started(api, "ask_side_by_side", url=str(api.base_url))

        async def slow_job() -> Any:
            return (await api.get("/api/jobs", params={"recipe": "slow"})).json()["items"]

        [slow] = await eventually(slow_job)
        await api.post(f"/api/jobs/{slow['job_id']}/events/go", json={"value": "went"})

        async def has_answered() -> bool:
            job = (await api.get(f"/api/jobs/{asking}")).json()
            return [each["status"] for each in job["calls"]] == ["ok", "open"]

        await eventually(has_answered)
        await api.post(f"/api/jobs/{asking}/events/too", json={"value": "this"})
        job = await ended(api, asking)

    assert job["output"] == ["went", "this"]


async def test_it_waits_so_long_and_no_longer(serve: Serve) -> None:
    async with serve(desk) as api:
        url = f"{api.base_url}/run/desk/slow"
        job = await ended(api, await started(api, "ask_slowly", url=url, seconds=0.2))

    assert (job["status"], job["error"]["code"]) == ("failed", WaitTimedOut.code)


async def test_who_is_not_there_is_asked_again_and_that_is_shown(serve: Serve) -> None:
    async with serve(desk) as api:
        url = "http://127.0.0.1:9/run/desk/slow"
        asking = await started(api, "ask_slowly", url=url)

        async def waiting() -> Any:  # between two tries it waits for nothing
            return (await shown(api, asking, "suspended"))["waiting_on"]

        [waits] = await eventually(waiting)

    assert "can't be reached" in waits["what"]


VAIN = [
    ("DELETE", "closed", None, ["endpoint_failed", 500, "job_failed"]),
    ("POST", "nothing", {}, ["endpoint_failed", 404, "trigger_not_found"]),
    ("POST", "parcels/x", {}, ["endpoint_failed", 422, "input_invalid"]),
    ("POST", "parcels/7", {"grams": 1}, ["endpoint_failed", None, None]),
]


async def test_what_can_not_come_to_an_answer_is_an_error(serve: Serve) -> None:
    async with serve(desk) as api:
        for method, path, body, fails in VAIN:
            url = f"{api.base_url}/run/desk/{path}"
            job_id = await started(api, "ask_in_vain", url=url, method=method, body=body)
            assert (await ended(api, job_id))["output"] == fails, path
        url = f"{api.base_url}/run/desk/closed"
        later = await ended(api, await started(api, "ask_in_vain", url=url, method="PUT"))
        assert later["output"][0] == EndpointFailed.code
        private = {"url": "http://10.0.0.1/run/desk/slow", "method": "GET"}
        refused = await ended(api, await started(api, "ask_in_vain", **private))
        assert refused["output"] == [OutboundRefused.code, None, None]
        no_address = await ended(
            api, await started(api, "ask_in_vain", url="file:///etc/passwd", method="GET")
        )

    assert no_address["error"]["code"] == "input_invalid"
    assert issubclass(EndpointFailed, LampworkError)
