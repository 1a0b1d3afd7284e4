"""The client has a method for each route, which gives all that the route answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.support import eventually

from lampwork import File
from lampwork.client import Client
from lampwork.errors import LampworkError, ServerRefused, ServerUnreachable, UserNotAllowed
from lampwork.people import Caller
from lampwork.views import to_json

from .conftest import Serve
from .shop import of, project


class Listening(httpx.AsyncHTTPTransport):
    """Keeps what was asked for, and the last answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, str]] = set()
        self.answer: Any = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.asked.add((request.method, request.url.path))
        if response.headers.get("content-type") == "application/json":
            await response.aread()
            self.answer = response.json()
        return response


NOT_CALLED = {
    *("sign_in", "sign_in_by_link", "sign_out", "change_password"),  # of people in a browser
    *("is_alive", "is_ready", "get_metrics"),  # of what watches the server
}


async def test_each_route_has_a_method_which_gives_all_that_it_answers(serve: Serve) -> None:
    heard = Listening()
    async with serve(project, triggers=True, authority=Ann()) as api:
        async with of(api, transport=heard) as client:
            await everything(client, heard)
        described = (await api.get("/openapi.json")).json()["paths"]

    called = {
        operation["operationId"]
        for path, operations in described.items()
        for method, operation in operations.items()
        for asked, at in heard.asked
        if asked == method.upper() and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), at)
    }
    every = {
        operation["operationId"]
        for path, operations in described.items()
        for operation in operations.values()
        if "/orchestration/" not in path  # decisions in one: tests/server/test_orchestrations.py
    }
    assert called == every - NOT_CALLED


class Ann:
    """Everybody is Ann, who may do everything."""

    async def caller(self, request: Any) -> Caller:
        return Caller("ann@example.org", everywhere="admin")


Same = Callable[[Awaitable[Any]], Awaitable[Any]]


async def everything(client: Client, heard: Listening) -> None:
    """Call each method; what it gives is what was answered."""

    async def same(view: Awaitable[Any]) -> Any:
        given = await view
        shown = heard.answer["items"] if isinstance(given, tuple) else heard.answer
        assert to_json(given) == shown
        return given

    began = await a_job_with_its_task(client, same)
    await a_job_that_waits_and_its_copies(client, same)
    await lists(client, same, began)
    await definitions(client, same)
    await people(client, same)


async def a_job_with_its_task(client: Client, same: Same) -> datetime:
    """All that there is of one; when it was accepted."""
    reviewed = await same(client.start("review"))
    await client.wait(reviewed.job_id)
    [call] = (await same(client.job(reviewed.job_id))).calls
    await same(client.view(reviewed.job_id))
    await same(client.tree(reviewed.job_id))
    await same(client.task(call.task.task_id))
    await same(client.conversation(call.task.conversation_id))
    await same(client.transcript(call.task.conversation_id, after=1))
    await refused(client.requests("c01m7wbx3ejz021kz99.1"))
    await same(client.recording(call.task.conversation_id))
    await refused(client.artifact(call.task.conversation_id, "none.txt"))
    await refused(client.artifact_of_task(call.task.task_id, "none.txt"))
    await refused(client.file(call.task.task_id, "none.txt"))
    await refused(client.orchestration(call.task.task_id))
    await refused(client.orchestration(reviewed.job_id))
    await same(client.plan_answer(call.task.task_id, "done"))
    await refused(client.answer_task(call.task.task_id, "done", note="late"))
    return reviewed.created_at


async def a_job_that_waits_and_its_copies(client: Client, same: Same) -> None:
    waits = await same(client.start("order", {"item": "lamp"}))

    async def has_come_to_its_wait() -> bool:
        return (await client.view(waits.job_id)).status == "suspended"

    await eventually(has_come_to_its_wait)
    await refused(client.resolve(waits.job_id, "w0", "fail"))
    await refused(client.confirm(waits.job_id, "w0", digest="0"))
    await refused(client.reject(waits.job_id, "w0", digest="0"))
    await refused(client.go_on(waits.job_id))
    await same(client.send_event(waits.job_id, "mood", "good"))
    await same(client.cancel(waits.job_id))
    await client.wait(waits.job_id)
    await same(client.plan_retry(waits.job_id))
    await same(client.plan_rerun(waits.job_id))
    await same(client.plan_fork(waits.job_id, at=1))
    await same(client.retry(waits.job_id))
    await same(client.rerun(waits.job_id))
    await same(client.fork(waits.job_id, at=1))


async def lists(client: Client, same: Same, began: datetime) -> None:
    assigned = await same(client.assign("greeter", "Say hello."))
    await client.wait((await same(client.send_message("greeter", "Hello."))).job_id)
    await client.wait(assigned.job_id)

    since = began - timedelta(seconds=1)
    await same(client.jobs(status="succeeded", since=since, metadata="invoice_id=I-1", roots=True))
    for listed in (client.conversations(genie="greeter"), client.changes(), client.projects()):
        assert (await same(listed)).items
    for all_of in (client.workers, client.usage, client.recipes, client.genies, client.skills):
        assert await same(all_of())
    await same(client.operations(seconds=60))


async def definitions(client: Client, same: Same) -> None:
    await same(client.recipe("order"))
    await same(client.graph("order"))
    kept = await same(client.upload(File("note.txt", b"It is red.")))
    assert await client.content(kept.digest) == b"It is red."
    await same(client.start("review", files=[kept]))
    await same(client.genie("finance"))
    await same(client.pause_genie("finance", why="audit"))
    await same(client.start_genie("finance"))
    await same(client.triggers())
    await same(client.triggers_of("review"))
    await same(client.pause_trigger("review", why="holidays"))
    await same(client.start_trigger("review"))
    await same(client.fire_trigger("review"))


async def people(client: Client, same: Same) -> None:
    await same(client.me())
    await same(client.add_person("ben@example.org", "correct horse battery", role="viewer"))
    await same(client.set_role("ben@example.org", "builder"))
    await same(client.set_password("ben@example.org", "battery staple correct"))
    await same(client.disable_person("ben@example.org"))
    await same(client.enable_person("ben@example.org"))
    await same(client.people())
    made = await same(client.make_key("ci", role="builder", expires_in=3600))
    await same(client.keys())
    await same(client.revoke_key(made.made.prefix))


async def refused(asked: Any) -> None:
    with pytest.raises(LampworkError) as error:
        await asked
    assert not isinstance(error.value, ServerRefused | ServerUnreachable | UserNotAllowed)
