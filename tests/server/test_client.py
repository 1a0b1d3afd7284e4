"""The client: a program hands in work, follows it, and looks at what there is."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, Field
from tests.support import DEADLINE, eventually

from lampwork import (
    Budget,
    File,
    Sealed,
)
from lampwork.client import Client, Delta, Hint
from lampwork.errors import (
    ArtifactNotFound,
    FileRejected,
    InputInvalid,
    JobFailed,
    JobNotFound,
    OutputTypeInvalid,
    RoleLacking,
    ServerRefused,
    ServerUnreachable,
    SignInNeeded,
    TriggerNotFound,
)
from lampwork.people import keys
from lampwork.server.authority import KnownCallers
from lampwork.server.running import bound

from .conftest import Serve
from .shop import Receipt, of, project


async def test_a_program_hands_in_work_and_gets_what_came_of_it(serve: Serve) -> None:
    async with serve(project) as api, of(api) as client:
        job = await client.start("order", {"item": "lamp"})
        await client.send_event(job.job_id, "colour", "red")

        assert await client.result(job.job_id, Receipt) == Receipt("lamp", "red")
        assert await client.result(job.job_id) == {"item": "lamp", "colour": "red"}
        with pytest.raises(InputInvalid, match=r"is no int: it: Input should be a valid int"):
            await client.result(job.job_id, int)


async def test_a_type_in_place_of_a_schema_is_told_what_to_give(serve: Serve) -> None:
    async with serve(project) as api, of(api) as client:
        with pytest.raises(OutputTypeInvalid, match=r"output=Model\.model_json_schema\(\)"):
            await client.assign("greeter", "Say hello.", output=Receipt)  # type: ignore[arg-type]


async def test_a_path_that_leads_to_no_file_is_refused_as_it_is_where_the_code_is(
    serve: Serve, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("none.txt", "it can't be opened: No such file"),
        ("", "it can't be opened: Is a directory"),
        ("pipe", "it is no ordinary file"),
    ):
        path = tmp_path / name
        async with serve(project) as api, of(api) as client:
            with pytest.raises(FileRejected, match=why) as there:
                await client.assign("greeter", "Say hello.", files=[path])
        async with project.open(tmp_path / "home") as app:
            with pytest.raises(FileRejected) as here:
                await app.assign("greeter", "Say hello.", files=[path])
        assert there.value.to_record() == here.value.to_record()


async def test_a_job_that_failed_raises_what_it_raises_where_the_code_is(serve: Serve) -> None:
    async with serve(project) as api, of(api) as client:
        job = await client.start("breaks")
        with pytest.raises(JobFailed, match="no lamp") as failed:
            await client.result(job.job_id)

    assert (failed.value.job_id, failed.value.job_status) == (job.job_id, "failed")


class Line(BaseModel):
    item: str = Field(alias="itemName")
    at: datetime


async def test_models_and_dataclasses_are_sent_as_they_are_recorded(serve: Serve) -> None:
    at = datetime(2026, 1, 31, 18, tzinfo=UTC)
    given = {"line": Line(itemName="lamp", at=at), "receipts": [Receipt("lamp", "red")]}
    async with serve(project) as api, of(api) as client:
        job = await client.start("keep", given)
        await client.send_event(job.job_id, "seen", Receipt("vase", "blue"))
        kept = await client.result(job.job_id)

    assert kept == {
        "line": {"itemName": "lamp", "at": "2026-01-31T18:00:00Z"},
        "receipts": [{"item": "lamp", "colour": "red"}],
        "seen": {"item": "vase", "colour": "blue"},
    }


RING: list[Any] = []
RING.append(RING)


async def test_an_input_that_names_no_parameters_is_refused_and_not_sent() -> None:
    given: Any = [1]
    async with Client("http://127.0.0.1:9", project="shop", patience=0) as client:
        with pytest.raises(InputInvalid, match=r"parameters by name.*: input=\[1\]"):
            await client.start("keep", given)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "input.line.0: object is no JSON"),
        (float("nan"), "input.line.0: nan is no number in JSON"),
        ({1: threading.Lock()}, "input.line.0: dict is no JSON"),
        (RING, "body: it holds itself, or too much in each other"),
    ],
    ids=["object", "nan", "inside", "ring"],
)
async def test_what_is_no_json_is_named_and_not_sent(value: Any, why: str) -> None:
    async with Client("http://127.0.0.1:9", project="shop", patience=0) as client:
        with pytest.raises(InputInvalid, match="can't be sent") as refused:
            await client.start("keep", {"line": [value]})

    assert refused.value.problems == [why]


async def test_a_task_takes_its_terms(serve: Serve, tmp_path: Any) -> None:
    (tmp_path / "note.txt").write_text("The lamp is red.")
    async with serve(project) as api, of(api) as client:
        job = await client.assign(
            "finance",
            "Check it.",
            data={"at": "once"},
            metadata={"invoice_id": Sealed("INV-2207")},
            files=[tmp_path / "note.txt", File("more.txt", b"And warm.")],
            budget=Budget(model_calls=5),
            deadline=timedelta(hours=1),
        )
        answer = await client.result(job.job_id)
        [call] = (await client.job(job.job_id)).calls
        assert call.task is not None
        task = await client.task(call.task.task_id)
        [told, *_] = (await client.conversation(task.conversation_id)).transcript
        content = await client.file(task.task_id, "more.txt")
        with pytest.raises(ArtifactNotFound, match=r"It was given: note\.txt, more\.txt"):
            await client.file(task.task_id, "less.txt")

    assert (answer["response"], content) == ("done", b"And warm.")
    assert (task.data, task.metadata) == ({"at": "once"}, {"invoice_id": "INV-2207"})
    assert task.budget is not None
    assert task.budget.limits["model_calls"] == 5
    assert task.deadline is not None
    assert timedelta(minutes=50) < task.deadline - datetime.now(UTC) <= timedelta(hours=1)
    assert [each.name for each in told.files] == ["note.txt", "more.txt"]  # type: ignore[union-attr]


async def test_an_error_of_the_server_is_the_one_that_it_was_there(serve: Serve) -> None:
    async with serve(project) as api, of(api) as client:
        with pytest.raises(JobNotFound):
            await client.job("j01m7wbx3ejz021kz99")
        with pytest.raises(InputInvalid) as invalid:
            await client.start("order", {})
        with pytest.raises(TriggerNotFound) as missing:
            await client.fire_trigger("review", trigger="cron-0000")

    assert invalid.value.problems == ["item: missing"]
    assert invalid.value.message == "The input of order does not fit: item: missing."
    assert "known" in missing.value.fields


class Answers(httpx.AsyncBaseTransport):
    """A server that says one thing."""

    def __init__(self, status: int, **said: Any) -> None:
        self.status, self.said = status, said

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.status, **self.said)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (Answers(418, json={"code": "teapot", "detail": "It is short."}), "teapot"),
        (Answers(200, text="<html>Welcome</html>"), None),
        (Answers(200, json={"items": [{"job_id": 7}], "next": None}), None),
        (Answers(404, text="nginx"), None),
    ],
)
async def test_an_answer_that_nobody_here_knows_is_refused(answers: Answers, code: Any) -> None:
    async with Client("http://elsewhere", transport=answers) as client:
        with pytest.raises(ServerRefused) as refused:
            await client.jobs()

    assert refused.value.answer_code == code
    assert refused.value.answer_status == answers.status


async def test_what_a_newer_server_says_beside_is_passed_over() -> None:
    shown = {"project": "shop", "title": "", "version": "", "executes": True, "role": "admin"}
    newer = Answers(200, json={"items": [shown | {"mood": "good"}], "next": None, "total": 1})
    async with Client("http://newer", transport=newer) as client:
        assert await client.project() == "shop"


async def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InputInvalid, match="no address of a server"):
        Client("lampwork.example.org")


async def test_a_key_may_have_the_end_of_its_line_and_nothing_else_that_no_key_has() -> None:
    sent: list[str] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(200, json={"items": [], "next": None})

    async with Client("http://at", key="lw_a\n", transport=httpx.MockTransport(keep)) as client:
        await client.projects()
    assert sent == ["Bearer lw_a"]
    for key in ("", "two words", "kéy"):
        with pytest.raises(InputInvalid, match="The key is none"):
            Client("http://at", key=key)


# --- keys ---


async def test_the_key_says_who_it_is_and_what_it_may_do(serve: Serve) -> None:
    made: dict[str, str] = {}

    def known(store: Any) -> KnownCallers:
        made["store"] = store
        return KnownCallers(store, on_loopback=False)

    async with serve(project, authority=known) as api:
        store: Any = made["store"]
        key, _ = await keys.make(store, "ci", project="shop", role="viewer")
        async with of(api, key=key) as client, of(api) as nobody:
            assert (await client.me()).role == "viewer"
            assert [each.recipe for each in await client.recipes()] == [
                "order",
                "review",
                "keep",
                "breaks",
            ]
            with pytest.raises(RoleLacking) as lacking:
                await client.start("review")
            with pytest.raises(SignInNeeded):
                await nobody.recipes()

    assert lacking.value.role == "builder"


# --- a server that is away ---


class Losing(httpx.AsyncHTTPTransport):
    """Loses the first answers to what fits: the server has done what they were asked for."""

    def __init__(self, path: str, *, times: int = 1) -> None:
        super().__init__()
        self.path, self.left, self.asked = path, times, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.method == "POST" and re.search(self.path, request.url.path):
            self.asked += 1
            if self.left > 0:
                self.left -= 1
                await response.aread()
                raise httpx.ReadError("the connection broke off", request=request)
        return response


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("/jobs$", lambda client: client.start("order", {"item": "lamp"})),
        ("/tasks$", lambda client: client.assign("greeter", "Say hello.")),
        ("/messages$", lambda client: client.send_message("greeter", "Hello.")),
    ],
    ids=["start", "assign", "send_message"],
)
async def test_work_whose_acceptance_got_lost_is_asked_for_again_and_done_once(
    serve: Serve, path: str, start: Any
) -> None:
    losing = Losing(path, times=2)
    async with serve(project, executes=False) as api, of(api, transport=losing) as client:
        job = await start(client)
        there = [each.job_id async for each in client.jobs()]

    assert losing.asked == 3
    assert there == [job.job_id]


async def test_what_could_be_done_twice_is_not_asked_for_again(serve: Serve) -> None:
    losing = Losing("/events/colour$")
    async with serve(project) as api, of(api, transport=losing) as client:
        job = await client.start("order", {"item": "lamp"})
        with pytest.raises(ServerUnreachable, match="look before you ask again") as lost:
            await client.send_event(job.job_id, "colour", "red")

        assert lost.value.may_be_done
        assert losing.asked == 1
        assert await client.result(job.job_id, Receipt) == Receipt("lamp", "red")  # it was done


async def test_a_server_that_is_away_is_waited_for_as_long_as_patience_lasts() -> None:
    with bound("127.0.0.1", 0) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"  # bound, and not listened at
        async with Client(url, patience=0.3) as client:
            with pytest.raises(ServerUnreachable, match="can't be reached") as away:
                await client.cancel("j01m7wbx3ejz021kz99")

    assert not away.value.may_be_done


class Breaking(httpx.AsyncHTTPTransport):
    """Lets the first streams of hints break off after their first word."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path == "/api/events" and self.left > 0:
            self.left -= 1
            stream: Any = response.stream
            return httpx.Response(response.status_code, stream=_Cut(stream))
        return response


class _Cut(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self.stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for each in self.stream:
            yield each
            raise httpx.ReadError("the connection broke off")

    async def aclose(self) -> None:
        await self.stream.aclose()


async def test_who_waits_is_told_although_the_stream_of_hints_breaks_off(serve: Serve) -> None:
    breaking = Breaking(times=3)
    async with serve(project) as api, of(api, transport=breaking) as client:
        job = await client.start("order", {"item": "lamp"})
        waiting = asyncio.create_task(client.result(job.job_id, Receipt))
        await eventually(_broken(breaking))
        await client.send_event(job.job_id, "colour", "red")

        assert await waiting == Receipt("lamp", "red")


def _broken(breaking: Breaking) -> Any:
    async def broken() -> bool:
        return breaking.left == 0

    return broken


async def test_hints_say_what_to_fetch(serve: Serve) -> None:
    async with serve(project) as api, of(api) as client:
        job = await client.start("order", {"item": "lamp"})
        hints = client.follow(jobs=[job.job_id])

        assert await anext(hints) == Hint("everything")
        await client.send_event(job.job_id, "colour", "red")
        hint = await anext(hints)
        assert (hint.kind, hint.id) == ("job", job.job_id)
        await hints.aclose()


async def test_what_is_said_comes_between_the_hints(serve: Serve) -> None:
    async with serve(project) as api, of(api) as client:
        job = await client.wait((await client.send_message("greeter", "Hello.")).job_id)
        [call] = job.calls
        chat = call.task.conversation_id
        async with aclosing(client.follow(jobs=[], deltas=[chat])) as told:
            assert await anext(told) == Hint("everything")
            now = await client.send_message("greeter", "And now?", conversation=chat)
            said = [each async for each in until_told(told, "hello")]

        await client.wait(now.job_id)  # it is on record after it was told
        whole = await client.transcript(chat)

    first = said[0]
    assert (first.id, first.attempt, first.at) == (chat, 1, 0)
    assert first.task != call.task.task_id
    assert first.entry in {part.seq for part in whole.items if part.kind == "said"}


async def until_told(told: AsyncIterator[Hint | Delta], text: str) -> AsyncIterator[Delta]:
    """What is said, until it is all of a text."""
    so_far = ""
    async with asyncio.timeout(DEADLINE):
        async for each in told:
            if isinstance(each, Delta):
                so_far = so_far[: each.at] + each.text
                yield each
            if so_far == text:
                return


async def test_what_the_model_was_sent_is_put_together_again(serve: Serve) -> None:
    async with serve(project) as api, of(api) as client:
        job = await client.wait((await client.start("review")).job_id)
        [call] = job.calls
        chat = call.task.conversation_id
        requests = await client.requests(chat)
        sent = (await api.get(f"/api/conversations/{chat}/requests")).json()["items"]

    first, second = requests
    assert second.messages[: len(first.messages)] == first.messages
    assert [each["as_before"] for each in sent] == [0, len(first.messages)]
    assert len(sent[1]["messages"]) == len(second.messages) - len(first.messages) > 0


# --- lists ---


async def test_a_list_is_a_page_or_all_that_is_on_its_pages(serve: Serve) -> None:
    async with serve(project, executes=False) as api, of(api) as client:
        for item in ("lamp", "rug", "vase"):
            await client.start("order", {"item": item})
        await client.start("review")

        page = await client.jobs(recipe="order", limit=2)
        further = await client.jobs(recipe="order", limit=2, after=page.next)
        every = [each async for each in client.jobs(recipe="order", limit=2)]

    assert (len(page.items), page.next is None, further.next) == (2, False, None)
    assert every == [*page.items, *further.items]


async def test_the_client_imports_no_engine_and_no_database() -> None:
    heavy = ("sqlalchemy", "dbos", "fastapi", "pydantic_ai", "lampwork.store", "lampwork.app")
    code = f"import sys, lampwork.client; print([each for each in {heavy} if each in sys.modules])"
    found = await asyncio.to_thread(subprocess.check_output, [sys.executable, "-c", code])
    assert found.decode().strip() == "[]"
