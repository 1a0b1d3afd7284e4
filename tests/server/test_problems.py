"""What the server refuses, and how it says so: RFC 9457, with what to do."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Request
from pydantic import AfterValidator
from tests.support import eventually

from lampwork import Answer, Job, Metadata, Project, Turn, playbook
from lampwork.people import Caller
from lampwork.server import requests
from lampwork.server.requests import ExactRoute

from .conftest import Serve

project = Project("shop")
START = "/api/projects/shop/recipes/add/jobs"


@project.recipe()
async def add(job: Job, a: int) -> int:
    return a


@project.recipe()
async def total(job: Job, each: list[int]) -> int:
    return sum(each)


SUM = "/api/projects/shop/recipes/total/jobs"
LOOKING, SEEN = threading.Event(), threading.Event()


def looked_at(given: int) -> int:
    LOOKING.set()
    assert SEEN.wait(60)
    return given


@project.recipe()
async def look(job: Job, a: Annotated[int, AfterValidator(looked_at)]) -> int:
    return a


@project.recipe()
async def ask(job: Job) -> int:
    return await job.wait_for("size", int)


@project.recipe()
async def ask_all(job: Job) -> list[int]:
    return await job.wait_for("sizes", list[int])


@project.skill(effect="read")
def weigh(lamps: Metadata[list[int]]) -> int:
    """Weigh lamps."""
    return sum(lamps)


@playbook
def looks(turn: Turn) -> Answer:
    return Answer("seen")


project.genie("porter", model=looks, job_description="You carry.", skills=[weigh])
project.genie("clerk", model=looks, job_description="You look.", skills=[])


async def refused(api: httpx.AsyncClient, method: str, path: str, **given: Any) -> Any:
    """A problem document, checked for what all of them have."""
    answered = await api.request(method, path, **given)
    problem = answered.json()
    assert answered.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answered.status_code
    assert problem["type"] == f"urn:lampwork:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "EOF while parsing"),
        (b'{"input": {"a": NaN}}', "is no JSON"),
        (b'{"input": {"a": "\\ud800"}}', "is no JSON"),
        (b'{"input": {"a": "\\u0000"}}', "NUL"),
        (b"[" * 10_000, "recursion limit"),
        (b"\xff\xfe", "is no JSON"),
    ],
)
async def test_what_is_no_json_is_refused_with_the_place(
    serve: Serve, body: bytes, says: str
) -> None:
    async with serve(project, executes=False) as api:
        problem = await refused(
            api, "POST", START, content=body, headers={"Content-Type": "application/json"}
        )

    assert (problem["status"], problem["errors"][0]["field"]) == (422, "body")
    assert says in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": 7}, "input"),
        ({"input": {"a": 1}, "inptu": {}}, "inptu"),
        ({"input": {"a": "one"}}, "a"),
        ({"input": {}}, "a"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(serve: Serve, body: Any, field: str) -> None:
    async with serve(project, executes=False) as api:
        problem = await refused(api, "POST", START, json=body)

    assert (problem["status"], problem["code"]) == (422, "input_invalid")
    assert [each["field"] for each in problem["errors"]] == [field]


async def test_who_sends_json_as_something_else_is_told_how(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        for said in ("application/x-www-form-urlencoded", "text/plain", None):
            headers = {} if said is None else {"Content-Type": said}
            problem = await refused(
                api, "POST", START, content=b'{"input": {"a": 1}}', headers=headers
            )
            assert problem["errors"][0]["field"] == "Content-Type"
            assert "`Content-Type: application/json`" in problem["detail"]
        listed = (await api.get("/api/jobs")).json()
        said = "application/problem+json; charset=utf-8"
        taken = await api.post(
            START, content=b'{"input": {"a": 1}}', headers={"Content-Type": said}
        )

    assert listed["items"] == []
    assert taken.status_code == 202


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"a": 1}, "a", "there is no such field. There are: input, files."),
        ({"inputs": {"a": 1}}, "inputs", 'there is no such field. Did you mean "input"?'),
        ([1], "body", "give an object. There are: input, files."),
        (None, "body", "there is none. Give an object. There are: input, files."),
    ],
)
async def test_what_a_body_may_have_is_said(serve: Serve, body: Any, field: str, says: str) -> None:
    async with serve(project, executes=False) as api:
        problem = await refused(api, "POST", START, **({} if body is None else {"json": body}))

    assert problem["errors"] == [{"field": field, "message": says}]
    assert problem["detail"].endswith(f"{says} Nothing was changed.")


async def test_a_field_that_the_projects_code_refuses_is_named(serve: Serve) -> None:
    tasks = "/api/projects/shop/genies/clerk/tasks"
    async with serve(project) as api:
        started = (await api.post("/api/projects/shop/recipes/ask/jobs", json={})).json()
        event = f"/api/jobs/{started['job_id']}/events/size"
        await eventually(lambda: waits(api, started["job_id"]))
        for path, body, field in (
            (event, {"value": "large"}, "value"),
            (tasks, {"instructions": "Look.", "metadata": {"x": 1}}, "metadata.x"),
            (tasks, {"instructions": "Look.", "output": {"type": "txt"}}, "output"),
            (tasks, {"instructions": "Look.", "deadline": "soon"}, "deadline"),
            ("/api/projects/shop/people", {**PERSON, "password": "short"}, "password"),
            ("/api/projects/shop/people", {**PERSON, "email": "ann"}, "email"),
        ):
            problem = await refused(api, "POST", path, json=body)
            assert [each["field"] for each in problem["errors"]] == [field], problem
            assert "Value error" not in problem["detail"]


PERSON = {"email": "ann@example.org", "password": "correct horse battery", "role": "viewer"}


async def waits(api: httpx.AsyncClient, job_id: str) -> Any:
    return (await api.get(f"/api/jobs/{job_id}/timeline")).json()["waiting_on"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("stauts=failed", "stauts"),
        ("status=odd", "status"),
        ("limit=0", "limit"),
        ("limit=1&limit=2", "limit"),
        ("recipe=%00", "recipe"),
    ],
)
async def test_a_query_parameter_that_does_not_fit_is_named(
    serve: Serve, query: str, field: str
) -> None:
    async with serve(project, executes=False) as api:
        problem = await refused(api, "GET", f"/api/jobs?{query}")

    assert problem["status"] == 422
    assert [each["field"] for each in problem["errors"]] == [field]


async def test_each_list_names_a_cursor_that_is_none(serve: Serve) -> None:
    lists = ("jobs", "jobs?roots=true", "jobs?recipe=add", "conversations", "projects/shop/audit")
    async with serve(project, executes=False) as api:
        for each in lists:
            path = f"/api/{each}{'&' if '?' in each else '?'}after=elsewhere"
            problem = await refused(api, "GET", path)

            assert (problem["status"], problem["errors"][0]["field"]) == (422, "after"), path
            assert "Pass the `next` of the page before" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/jobs/j%00", 404, "not_found"),
        ("POST", "/api/projects/bank/recipes/add/jobs", 404, "not_found"),
        ("POST", "/api/projects/shop/recipes/odd/jobs", 404, "recipe_not_found"),
        ("DELETE", "/api/jobs", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_said(
    serve: Serve, method: str, path: str, status: int, code: str
) -> None:
    async with serve(project, executes=False) as api:
        problem = await refused(api, method, path, **({"json": {}} if method == "POST" else {}))

    assert (problem["status"], problem["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/api/jobs", "/nothing", "/api/jobs/j0", "/hooks/shop/x"])
async def test_a_host_that_is_none_is_no_failure(serve: Serve, path: str) -> None:
    async with serve(project, executes=False) as api:
        answered = await api.get(path, headers={"Host": "["})

    assert answered.status_code in (200, 404, 405)


def test_many_query_parameters_are_counted_in_one_go() -> None:
    query = "&".join(map(str, range(200_000))).encode()
    request = Request({"type": "http", "path": "/hooks/shop/in", "query_string": query})

    requests._check_address(request, None)  # one by one it would take minutes


async def test_a_path_with_one_slash_more_leads_nowhere(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        answered = await api.get("/api/jobs/", headers={"Host": "evil.example"})

    assert (answered.status_code, answered.headers.get("location")) == (404, None)


async def test_all_methods_of_a_path_are_named_when_it_is_asked_for_another(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        answered = await api.delete("/api/jobs/j0/retry")

    assert (answered.status_code, answered.headers["allow"]) == (405, "GET, POST")


async def test_a_body_over_the_limit_is_refused_before_it_is_read(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        url = api.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(
            f"POST {START} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
            f"Content-Length: {100 * 1024 * 1024}\r\n\r\n".encode()
        )

        answered = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        writer.close()

    assert answered.startswith(b"HTTP/1.1 413")


async def test_a_body_that_does_not_say_how_long_it_is_is_read_up_to_the_limit(
    serve: Serve,
) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 100 * 1024 * 1024:
            sent += 1024 * 1024
            yield b" " * 1024 * 1024

    async with serve(project, executes=False) as api:
        problem = await refused(
            api, "POST", START, content=endless(), headers={"Content-Type": "application/json"}
        )

    assert (problem["status"], problem["code"]) == (413, "body_too_large")
    assert problem["fields"] == {"limit": ExactRoute.largest}


class OneViewer:
    """Knows one caller, who may look."""

    async def caller(self, request: Any) -> Caller:
        return Caller("ann", {"shop": "viewer"})


class NoRole:
    """Knows one caller, who may do nothing here."""

    async def caller(self, request: Any) -> Caller:
        return Caller("ann", {"bank": "admin"})


async def test_a_role_that_is_not_enough_is_said_before_anything_else(serve: Serve) -> None:
    async with serve(project, authority=OneViewer(), executes=False) as api:
        problem = await refused(api, "POST", "/api/jobs/j0/cancel")

    assert (problem["status"], problem["code"]) == (403, "role_lacking")
    assert problem["fields"] == {"role": "builder"}


async def test_a_project_in_which_a_caller_has_no_role_is_not_there(serve: Serve) -> None:
    async with serve(project, authority=NoRole(), executes=False) as api:
        problem = await refused(api, "GET", "/api/jobs")

    assert (problem["status"], problem["code"]) == (404, "not_found")


LISTED = 20


async def test_of_many_problems_the_first_are_told(serve: Serve) -> None:
    """All of them would be more than anybody reads, and hold up everybody else."""
    unknown = {f"f{number}": 1 for number in range(1000)}
    async with serve(project, executes=False) as api:
        fields = await refused(api, "POST", START, json=unknown)
        parameters = await refused(api, "POST", START, json={"input": {"a": 1, **unknown}})
        items = await refused(api, "POST", SUM, json={"input": {"each": ["one"] * 1000}})

    for problem in (fields, parameters, items):
        assert len(problem["errors"]) == LISTED
        assert "; and 980 more" in problem["detail"]


async def test_of_an_event_or_a_value_of_metadata_too(serve: Serve) -> None:
    wrong = ["one"] * 1000
    asked = {"instructions": "Weigh.", "metadata": {"lamps": wrong}}
    async with serve(project) as api:
        started = (await api.post("/api/projects/shop/recipes/ask_all/jobs", json={})).json()
        await eventually(lambda: waits(api, started["job_id"]))
        path = f"/api/jobs/{started['job_id']}/events/sizes"
        event = await refused(api, "POST", path, json={"value": wrong})
        task = await refused(api, "POST", "/api/projects/shop/genies/porter/tasks", json=asked)

    for problem in (event, task):
        assert "and 980 more" in problem["detail"]
        assert len(problem["detail"]) < 5000


async def test_too_many_values_are_refused_whatever_they_are(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        problem = await refused(api, "POST", SUM, json={"input": {"each": [0] * 60_000}})

    assert (problem["status"], problem["code"]) == (413, "body_too_large")
    assert problem["fields"] == {"values": 50_000}


async def test_while_a_type_of_the_project_looks_at_an_input_others_are_answered(
    serve: Serve,
) -> None:
    async with serve(project, executes=False) as api:
        starting = asyncio.create_task(
            api.post("/api/projects/shop/recipes/look/jobs", json={"input": {"a": 1}})
        )
        await eventually(LOOKING.is_set)
        answered = await api.get("/healthz")
        SEEN.set()
        started = await starting

    assert (answered.status_code, started.status_code) == (200, 202)
