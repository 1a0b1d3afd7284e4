"""Live hints: who follows what happens is told what to fetch, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support import DEADLINE, eventually

from lampwork import Answer, Call, Job, Project, Turn, playbook
from lampwork.errors import SignInNeeded
from lampwork.models import TextDelta
from lampwork.people import Caller
from lampwork.server.deltas import Deltas
from lampwork.server.routes import events
from lampwork.tasks.texts import Texts

from .conftest import Serve

project = Project("shop")


@project.recipe()
async def asks(job: Job) -> str:
    return await job.wait_for("go", str)


@project.recipe()
async def calls_asks(job: Job) -> str:
    return await job.call(asks)


@project.skill(effect="read")
def look() -> str:
    """Look."""
    return "seen"


@playbook
def clerk(turn: Turn) -> Call | Answer:
    return Answer("done") if turn.results else Call("look")


porter = project.genie(
    "porter", model=playbook(lambda turn: Answer("Welcome.")), job_description="You greet."
)
finance = project.genie("finance", model=clerk, job_description="You check.", skills=[look])


@project.recipe()
async def checks(job: Job) -> str:
    await job.wait_for("go", str)
    return (await job.assign_task(finance, "Check it.")).response


bank = Project("bank")


@bank.recipe()
async def pays(job: Job) -> None:
    return None


@asynccontextmanager
async def following(
    api: httpx.AsyncClient, query: str = "", *, name: str = "reader"
) -> AsyncIterator[AsyncIterator[Any]]:
    """What a reader is told, after the first word: to fetch everything."""
    async with api.stream("GET", f"/api/events{query}", headers={"x-name": name}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = _told(stream)
        assert await anext(told) == ("everything", {})
        yield told


async def _told(stream: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    kind = ""
    async for line in stream.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


async def start(api: httpx.AsyncClient, recipe: str, of: str = "shop") -> str:
    answered = await api.post(f"/api/projects/{of}/recipes/{recipe}/jobs", json={})
    return answered.json()["job_id"]


async def shown(api: httpx.AsyncClient, job_id: str, status: str) -> None:
    async def there() -> bool:
        return (await api.get(f"/api/jobs/{job_id}")).json()["status"] == status

    await eventually(there, f"job {job_id} never {status}")


async def until(api: httpx.AsyncClient, told: AsyncIterator[Any], job_id: str, status: str) -> int:
    """Fetch a job whenever a hint says to, until it shows a status; its last version."""
    async with asyncio.timeout(DEADLINE):
        async for kind, hint in told:
            if (kind, hint.get("id")) == ("job", job_id):
                job = (await api.get(f"/api/jobs/{job_id}")).json()
                if job["status"] == status:
                    return hint["version"]
    raise AssertionError("the stream has ended")


async def test_a_reader_is_told_of_each_state_that_a_job_comes_to(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lampwork.server.live._ANYWAY", 2 * DEADLINE)  # commits are heard of
    async with serve(project) as api, following(api) as told:
        job_id = await start(api, "asks")
        waits = await until(api, told, job_id, "suspended")
        await api.post(f"/api/jobs/{job_id}/events/go", json={"value": "now"})
        done = await until(api, told, job_id, "succeeded")

    assert done > waits


async def test_who_follows_a_job_hears_of_those_below_it_and_no_others(serve: Serve) -> None:
    async with serve(project) as api:
        job_id = await start(api, "calls_asks")
        await shown(api, f"{job_id}.1", "suspended")
        other = await start(api, "asks")
        async with following(api, f"?jobs={job_id}") as told:
            for each in (other, f"{job_id}.1"):
                await api.post(f"/api/jobs/{each}/events/go", json={"value": "now"})

            heard = set[str]()
            async with asyncio.timeout(DEADLINE):
                while job_id not in heard or f"{job_id}.1" not in heard:
                    heard.add((await anext(told))[1]["id"])

    assert heard == {job_id, f"{job_id}.1"}


async def test_who_follows_a_conversation_hears_of_its_entries(serve: Serve) -> None:
    async with serve(project) as api:
        said = await api.post(
            "/api/projects/shop/genies/finance/tasks", json={"instructions": "Check it."}
        )
        await shown(api, said.json()["job_id"], "succeeded")
        [conversation] = (await api.get("/api/conversations")).json()["items"]
        followed = conversation["conversation_id"]
        async with following(api, f"?jobs=&conversations={followed}") as told:
            await api.post(
                "/api/projects/shop/genies/finance/tasks",
                json={"instructions": "Once more.", "conversation": followed},
            )
            async with asyncio.timeout(DEADLINE):
                kind, hint = await anext(told)
        entries = (await api.get(f"/api/conversations/{followed}")).json()["transcript"]
        missing = await api.get("/api/events?conversations=c0")

    assert (kind, hint["id"]) == ("conversation", followed)
    assert hint["version"] <= entries[-1]["seq"]
    assert missing.status_code == 404


@pytest.mark.usefixtures("place")
async def test_what_other_processes_do_is_heard_of_and_no_other_project(serve: Serve) -> None:
    async with serve(project, executes=False) as api, following(api) as told:
        async with serve(bank, executes=False) as theirs:
            await start(theirs, "pays", of="bank")
        async with serve(project, executes=False) as elsewhere:
            job_id = await start(elsewhere, "asks")
        async with asyncio.timeout(DEADLINE):
            kind, hint = await anext(told)

    assert (kind, hint["id"]) == ("job", job_id)


async def test_a_server_that_closes_lets_its_readers_go(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def follow(url: httpx.URL, reads: asyncio.Event) -> None:
        async with httpx.AsyncClient(base_url=url) as api, following(api) as told:
            reads.set()
            assert [each async for each in told] == []

    # What a connection gets that does not end.
    monkeypatch.setattr("lampwork.server.running._GRACE", round(2 * DEADLINE))
    reads = asyncio.Event()
    async with serve(project, executes=False) as api:
        reader = asyncio.create_task(follow(api.base_url, reads))
        await asyncio.wait_for(reads.wait(), DEADLINE)
        began = time.monotonic()

    await asyncio.wait_for(reader, DEADLINE)
    assert time.monotonic() - began < DEADLINE


class Revocable:
    """Knows one caller, until they are not to be known any more."""

    revoked = False

    async def caller(self, request: Any) -> Caller:
        if self.revoked:
            raise SignInNeeded("The key was revoked.")
        return Caller("ann", {"shop": "viewer"})


async def test_a_reader_whose_key_is_revoked_is_let_go(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_HEARTBEAT", 0.05)
    authority = Revocable()
    async with (
        serve(project, executes=False, authority=authority) as api,
        following(api) as told,
    ):
        authority.revoked = True

        async with asyncio.timeout(DEADLINE):
            assert [each async for each in told] == []


class RevocableReader:
    """Knows one caller, who may read no more hints from some time on."""

    revoked = False

    async def caller(self, request: Any) -> Caller:
        if self.revoked and request.scope["path"] == "/api/events":
            raise SignInNeeded("The key was revoked.")
        return Caller("ann", {"shop": "builder"})


async def test_a_reader_whose_key_is_revoked_is_let_go_although_there_is_always_news(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_HEARTBEAT", 2.0)
    authority = RevocableReader()
    async with serve(project, executes=False, authority=authority) as api:

        async def keep_telling() -> None:
            while True:
                await start(api, "asks")

        async with following(api) as told:
            telling = asyncio.create_task(keep_telling())
            assert (await anext(told))[0] == "job"
            authority.revoked = True
            async with asyncio.timeout(DEADLINE):
                last = [each async for each in told][-1:]
            telling.cancel()

    assert all(kind == "job" for kind, _ in last)


# --- what is just being said ---


def heard(told: bytes) -> list[tuple[int, int, int, str]]:
    """The entry, attempt, place and text of each delta."""
    data = [line for line in told.decode().splitlines() if line.startswith("data: ")]
    deltas = [json.loads(line.removeprefix("data: ")) for line in data]
    return [(each["entry"], each["attempt"], each["at"], each["text"]) for each in deltas]


async def test_what_is_said_is_gathered_and_each_reader_gets_what_it_lacks() -> None:
    texts = Texts()
    deltas = Deltas(texts)
    assert texts.told_of("c1") is None

    async def say(*pieces: str, entry: int = 2, attempt: int = 1) -> None:
        """Pieces, until those who follow are told of them."""
        tell = texts.told_of("c1")
        assert tell is not None
        for piece in pieces:
            tell(TextDelta("t1", entry, attempt, piece))
        async with asyncio.timeout(DEADLINE):
            await fast.woken.wait()

    with deltas.following(frozenset({"c1"})) as fast:
        assert texts.told_of("c2") is None
        with deltas.following(frozenset({"c1"})) as slow:
            await say("The ", "amounts ")
            assert heard(deltas.untold(fast)) == [(2, 1, 0, "The amounts ")]
            await say("match.")
            assert heard(deltas.untold(fast)) == [(2, 1, 12, "match.")]
            assert heard(deltas.untold(slow)) == [(2, 1, 0, "The amounts match.")]
            assert deltas.untold(slow) == b""
        await say("They ", attempt=2)
        assert heard(deltas.untold(fast)) == [(2, 2, 0, "They ")]
        with deltas.following(frozenset({"c1"})) as late:
            assert heard(deltas.untold(late)) == [(2, 2, 0, "They ")]
        await say("Next.", entry=4)
        assert heard(deltas.untold(fast)) == [(4, 1, 0, "Next.")]

    assert texts.told_of("c1") is None
    with deltas.following(frozenset({"c1"})) as again:
        assert deltas.untold(again) == b""


@dataclass(frozen=True)
class Chat:
    """A chat with somebody who has said something."""

    api: httpx.AsyncClient
    id: str

    async def say(self, message: str) -> None:
        """Go on with it."""
        await self.api.post(MESSAGES, json={"message": message, "conversation": self.id})


MESSAGES = "/api/projects/shop/chat/porter/messages"


@pytest.fixture
async def chat(serve: Serve) -> AsyncIterator[Chat]:
    async with serve(project) as api:
        first = (await api.post(MESSAGES, json={"message": "Hello."})).json()["job_id"]
        await shown(api, first, "succeeded")
        [begun] = (await api.get("/api/conversations", params={"genie": "porter"})).json()["items"]
        yield Chat(api, begun["conversation_id"])


async def test_who_follows_a_chat_is_told_what_is_said_in_it(chat: Chat) -> None:
    nobody = await chat.api.get("/api/events?deltas=c0")

    async with following(chat.api, f"?jobs=&deltas={chat.id}") as told:
        await chat.say("And now?")
        async with asyncio.timeout(DEADLINE):
            kind, said = await anext(told)

    assert kind == "delta"
    assert (said["id"], said["at"], said["attempt"]) == (chat.id, 0, 1)
    assert said["text"] == "Welcome."
    assert nobody.status_code == 404


PAGE = Path(__file__).parents[2] / "docs" / "server.md"


def shape(said: Any) -> dict[str, str]:
    return {name: type(value).__name__ for name, value in said.items()}


async def test_a_stream_says_what_its_page_shows(chat: Chat) -> None:
    page = re.findall(r"^event: (\w+)\ndata: (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    shown_there = {kind: shape(json.loads(said)) for kind, said in page}
    followed = f"?conversations={chat.id}&deltas={chat.id}"
    said: dict[str, dict[str, str]] = {"everything": {}}  # which `following` has heard
    async with following(chat.api, followed) as told, asyncio.timeout(DEADLINE):
        await chat.say("And now?")
        while said.keys() != shown_there.keys():
            kind, data = await anext(told)
            said[kind] = shape(data)

    assert said == shown_there


class ByName:
    """Knows callers by what they say."""

    async def caller(self, request: Any) -> Caller:
        return Caller(request.headers["x-name"], {"shop": "viewer"})


async def test_one_caller_has_so_many_streams_and_another_its_own(serve: Serve) -> None:
    async with serve(project, authority=ByName(), executes=False, streams=2) as api:

        async def refused(name: str) -> Any:
            async with api.stream("GET", "/api/events", headers={"x-name": name}) as stream:
                return None if stream.is_success else json.loads(await stream.aread())

        async with following(api, name="ann"), following(api, name="ann"):
            problem, other = await refused("ann"), await refused("ben")

        async def taken() -> bool:
            return await refused("ann") is None

        await eventually(taken)

    assert (problem["status"], problem["code"]) == (429, "too_many_streams")
    assert problem["fields"] == {"limit": 2}
    assert "ann has 2 streams of live hints open" in problem["detail"]
    assert other is None
