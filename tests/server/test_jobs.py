"""Jobs over HTTP: started once per key, listed in pages, cancelled, copied, sent events."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.support import eventually

from lampwork import Job, NotDone, Project

from .conftest import Serve

project = Project("shop")


@project.recipe()
async def add(job: Job, a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@project.recipe()
async def asks(job: Job) -> str:
    return await job.wait_for("go", str)


@project.recipe()
async def calls_add(job: Job) -> int:
    return await job.call(add, 1, 1)


def refuse() -> None:
    raise NotDone("the shop is closed")


@project.recipe()
async def fails(job: Job) -> None:
    await job.step(refuse)


bank = Project("bank")


@bank.recipe()
async def pays(job: Job) -> str:
    return await job.wait_for("go", str)


async def start(api: httpx.AsyncClient, recipe: str, **input: Any) -> str:
    """A job that was accepted: its id."""
    path = f"/api/projects/shop/recipes/{recipe}/jobs"
    answered = await api.post(path, json={"input": input})
    assert answered.status_code == 202, answered.text
    assert answered.headers["location"] == f"/api/jobs/{answered.json()['job_id']}"
    return answered.json()["job_id"]


async def ended(api: httpx.AsyncClient, job_id: str, status: str = "succeeded") -> Any:
    """A job, in full, once it shows a status."""

    async def reached() -> Any:
        job = (await api.get(f"/api/jobs/{job_id}")).json()
        return job if job["status"] == status else None

    return await eventually(reached, f"job {job_id} never {status}")


async def test_a_job_is_accepted_and_ends_with_its_output(serve: Serve) -> None:
    async with serve(project) as api:
        job_id = await start(api, "add", a=1)

        job = await ended(api, job_id)

    assert (job["recipe"], job["input"], job["output"]) == ("add", {"a": 1}, 3)


async def test_the_same_idempotency_key_leads_to_the_same_job(serve: Serve) -> None:
    path, key = "/api/projects/shop/recipes/add/jobs", {"Idempotency-Key": "order 7"}
    async with serve(project) as api:
        first = await api.post(path, json={"input": {"a": 1}}, headers=key)
        again = await api.post(path, json={"input": {"a": 1}}, headers=key)
        other = await api.post(path, json={"input": {"a": 2}}, headers=key)

    assert first.json()["job_id"] == again.json()["job_id"]
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert other.json()["fields"]["job_id"] == first.json()["job_id"]


async def test_input_that_does_not_fit_is_named_field_by_field(serve: Serve) -> None:
    async with serve(project) as api:
        refused = await api.post("/api/projects/shop/recipes/add/jobs", json={"input": {"b": "x"}})

    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.status_code, refused.json()["code"]) == (422, "input_invalid")
    assert [each["field"] for each in refused.json()["errors"]] == ["a", "b"]


async def test_an_event_is_what_a_job_waits_for(serve: Serve) -> None:
    async with serve(project) as api:
        job_id = await start(api, "asks")
        waiting = await ended(api, job_id, "suspended")
        assert waiting["waiting_on"][0]["kind"] == "event"

        sent = await api.post(f"/api/jobs/{job_id}/events/go", json={"value": "now"})

        assert sent.status_code == 202
        assert (await ended(api, job_id))["output"] == "now"


@pytest.mark.usefixtures("place")
async def test_a_list_is_read_page_by_page(serve: Serve) -> None:
    async with serve(project) as api:
        started = [await start(api, "add", a=number) for number in range(5)]
        pages: list[Any] = []
        after: dict[str, str] = {}
        while not pages or pages[-1]["next"] is not None:
            after = {"after": pages[-1]["next"]} if pages else {}
            pages.append((await api.get("/api/jobs", params={"limit": "2"} | after)).json())

    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    listed = [job["job_id"] for page in pages for job in page["items"]]
    assert listed == sorted(started, reverse=True)


@pytest.mark.usefixtures("place")
async def test_a_list_takes_filters(serve: Serve) -> None:
    async with serve(project) as api:
        job_id = await start(api, "calls_add")
        await ended(api, job_id)
        waits = await start(api, "asks")
        await ended(api, waits, "suspended")

        async def listed(**wanted: str) -> list[str]:
            found = await api.get("/api/jobs", params=wanted)
            return [job["job_id"] for job in found.json()["items"]]

        assert await listed(status="suspended") == [waits]
        assert await listed(recipe="calls_add") == [job_id]
        assert await listed(roots="true", status="succeeded") == [job_id]
        assert await listed(waiting_on="event") == [waits]
        assert await listed(waiting_on="timer") == []
        assert await listed(text=job_id) == [f"{job_id}.1", job_id]
        assert await listed(text='"B":1') == [f"{job_id}.1"]
        began = (await api.get(f"/api/jobs/{waits}")).json()["created_at"]
        assert await listed(since=began) == [waits]
        assert await listed(until=began) == [f"{job_id}.1", job_id]


async def test_a_page_looks_at_so_many_jobs_and_says_where_to_go_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lampwork.server.routes.jobs.EXAMINED", 2)
    async with serve(project, executes=False) as api:
        made = [await start(api, "add", a=number) for number in range(5)]

        async def page(**wanted: str) -> tuple[list[str], str | None]:
            found = (await api.get("/api/jobs", params=wanted)).json()
            return [job["job_id"] for job in found["items"]], found["next"]

        first, after = await page(text='"A":0')
        second, then = await page(text='"A":0', after=str(after))
        third, end = await page(text='"A":0', after=str(then))

    assert (first, after) == ([], made[3])
    assert (second, then) == ([], made[1])
    assert (third, end) == ([made[0]], None)


async def test_a_cancelled_job_ends_so(serve: Serve) -> None:
    async with serve(project) as api:
        job_id = await start(api, "asks")
        await ended(api, job_id, "suspended")

        cancelled = await api.post(f"/api/jobs/{job_id}/cancel")

        assert cancelled.status_code == 202
        await ended(api, job_id, "cancelled")
        late = await api.post(f"/api/jobs/{job_id}/events/go", json={"value": "now"})
        assert (late.status_code, late.json()["code"]) == (409, "job_ended")


async def test_a_copy_is_shown_before_it_is_made(serve: Serve) -> None:
    async with serve(project) as api:
        job_id = await start(api, "fails")
        await ended(api, job_id, "failed")

        plan = (await api.get(f"/api/jobs/{job_id}/retry")).json()
        copy = (await api.post(f"/api/jobs/{job_id}/retry")).json()

        assert [call["name"] for call in plan["again"]] == ["refuse"]
        assert copy["retry_of"] == job_id
        await ended(api, copy["job_id"], "failed")


async def test_a_timeline_has_the_calls_with_the_jobs_below(serve: Serve) -> None:
    async with serve(project) as api:
        job_id = await start(api, "calls_add")
        await ended(api, job_id)

        tree = (await api.get(f"/api/jobs/{job_id}/timeline")).json()

    [call] = tree["calls"]
    assert (call["kind"], call["status"]) == ("call", "ok")
    assert [child["recipe"] for child in call["jobs"]] == ["add"]


OF_ONE_JOB: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "/timeline", None),
    ("GET", "/retry", None),
    ("GET", "/rerun", None),
    ("GET", "/fork?at=1", None),
    ("POST", "/cancel", None),
    ("POST", "/retry", None),
    ("POST", "/rerun", None),
    ("POST", "/go-on", None),
    ("POST", "/fork", {"at": 1}),
    ("POST", "/events/go", {"value": "now"}),
    ("POST", "/resolve", {"wait_id": "w1", "resolution": "fail"}),
]


async def test_another_projects_job_is_as_little_there_as_none(serve: Serve) -> None:
    async with serve(bank, executes=False) as api:
        theirs = (await api.post("/api/projects/bank/recipes/pays/jobs", json={})).json()["job_id"]
    async with serve(project, executes=False) as api:
        for method, path, body in OF_ONE_JOB:
            told: list[Any] = []
            for job_id in (theirs, "j0"):
                answered = await api.request(method, f"/api/jobs/{job_id}{path}", json=body)
                told.append((answered.status_code, answered.text.replace(job_id, "j0")))
            assert told[0] == told[1], path
            assert told[0][0] == 404, path
        for path in ("/api/jobs", "/api/conversations", "/api/workers"):
            assert (await api.get(path)).json()["items"] == []
        assert sum((await api.get("/api/status")).json()["jobs"].values()) == 0
        assert (await api.get("/api/jobs", params={"after": theirs})).status_code == 422


async def test_without_a_worker_jobs_are_queued(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        job_id = await start(api, "add", a=1)

        assert (await api.get(f"/api/jobs/{job_id}")).json()["status"] == "queued"
    async with serve(project) as api:
        await ended(api, job_id)
