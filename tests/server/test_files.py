"""Files over HTTP: uploaded for tasks and jobs, and fetched again, whole or in part."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import httpx
import pytest
from tests.support import eventually, opened

from lampwork import Answer, Artifact, Call, File, Job, Project, SkillCall, Turn, clock, playbook
from lampwork.door import Door
from lampwork.errors import ArtifactNotFound
from lampwork.people import Caller
from lampwork.store import blobs
from lampwork.store.tasks import uploads

from .conftest import Serve

shop, bank = Project("shop"), Project("bank")
FILES = "/api/projects/shop/files"
TASKS = "/api/projects/shop/genies/reader/tasks"
ORDER = b"item,count\nlamp,12\n"


@shop.skill(effect="idempotent")
def note(line: str, call: SkillCall) -> str:
    """Write a line down."""
    call.save_artifact("note.txt", line.encode(), "text/plain")
    return line


@playbook
def reads(turn: Turn) -> Call | Answer:
    if len(turn.results) < 2:
        return Call("note", line=f"{len(turn.results) + 1} of 2")
    return Answer(" and ".join(f"{each.name}: {each.text}" for each in turn.files))


reader = shop.genie("reader", model=reads, job_description="You read.", skills=[note])


@shop.recipe()
async def read(job: Job, order: Artifact) -> str:
    await job.wait_for("go")
    task = await job.assign_task(reader, "Read it.", files=[order])
    return (await job.read_artifact(order)).decode() + task.response


async def uploaded(api: httpx.AsyncClient, name: str = "order.csv", content: bytes = ORDER) -> Any:
    headers = {"Content-Type": "text/csv"}
    answered = await api.post(FILES, params={"name": name}, content=content, headers=headers)
    assert answered.status_code == 201, answered.text
    return answered.json()


async def ended(api: httpx.AsyncClient, job_id: str) -> Any:
    async def found() -> Any:
        job = (await api.get(f"/api/jobs/{job_id}")).json()
        return job if job["ended_at"] else None

    return await eventually(found)


async def test_a_form_with_a_file_in_it_is_not_kept_as_the_file(serve: Serve) -> None:
    async with serve(shop, executes=False) as api:
        form = await api.post(FILES, params={"name": "order.csv"}, files={"file": ORDER})
        empty = await api.post(FILES, params={"name": "order.csv"})

    assert (form.status_code, "curl --data-binary @FILE" in form.json()["detail"]) == (422, True)
    assert form.json()["errors"][0]["field"] == "body"
    assert empty.status_code == 422


@pytest.mark.usefixtures("place")
async def test_an_upload_is_given_to_a_task_by_its_digest_and_fetched_again(serve: Serve) -> None:
    async with serve(shop) as api:
        file = await uploaded(api)
        given = {"instructions": "Read it.", "files": [file]}
        job = await ended(api, (await api.post(TASKS, json=given)).json()["job_id"])
        [call] = job["calls"]
        url = f"/api/tasks/{call['task']['task_id']}"
        task = (await api.get(url)).json()
        whole = await api.get(f"{url}/files/order.csv")
        part = await api.get(f"{url}/files/order.csv", headers={"Range": "bytes=11-14"})
        beyond = await api.get(f"{url}/files/order.csv", headers={"Range": "bytes=99-"})
        saved = await api.get(f"{url}/artifacts/note.txt")
        missing = [await api.get(f"{url}/{each}/x.csv") for each in ("files", "artifacts")]

    assert file == {
        "name": "order.csv",
        "media_type": "text/csv",
        "digest": hashlib.sha256(ORDER).hexdigest(),
        "size": len(ORDER),
    }
    assert task["answer"]["output"] == f"order.csv: {ORDER.decode()}"
    assert [each["digest"] for each in task["files"]] == [file["digest"]]
    assert (whole.status_code, whole.content) == (200, ORDER)
    assert whole.headers["etag"] == f'"{file["digest"]}"'
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["cache-control"] == "private, no-cache"
    assert whole.headers["content-disposition"].startswith("attachment")
    assert (part.status_code, part.content) == (206, b"lamp")
    assert (beyond.status_code, beyond.json()["fields"]) == (416, {"size": len(ORDER)})
    assert saved.content == b"2 of 2"
    assert [each.status_code for each in missing] == [404, 404]


async def test_head_says_what_get_would_and_sends_nothing(serve: Serve) -> None:
    async with serve(shop) as api:
        file = await uploaded(api)
        given = {"instructions": "Read it.", "files": [file]}
        job = await ended(api, (await api.post(TASKS, json=given)).json()["job_id"])
        task = job["calls"][0]["task"]
        of_task = f"/api/tasks/{task['task_id']}"
        for url in (
            f"{FILES}/{file['digest']}",
            f"{of_task}/files/order.csv",
            f"{of_task}/artifacts/note.txt",
            f"/api/conversations/{task['conversation_id']}/artifacts/note.txt",
        ):
            got, head = await api.get(url), await api.head(url, headers={"Range": "bytes=0-1"})
            known = await api.head(url, headers={"If-None-Match": got.headers["etag"]})
            assert (head.status_code, head.content) == (200, b"")
            assert said(head) == said(got)
            assert head.headers["content-length"] == str(len(got.content))
            assert known.status_code == 304
        missing = await api.head(f"{FILES}/{'0' * 64}")
    assert (missing.status_code, missing.content) == (404, b"")


def said(answered: httpx.Response) -> dict[str, str]:
    return {name: each for name, each in answered.headers.items() if name != "date"}


@shop.recipe()
async def draws(job: Job) -> Artifact:
    task = await job.assign_task(reader, "Read it.", files=[File("a.txt", b"a")])
    return task.artifacts[0]


async def test_files_are_shown_with_the_address_of_their_content(serve: Serve) -> None:
    async with serve(shop) as api:
        file = await uploaded(api)
        given = {"instructions": "Read it.", "files": [file]}
        job = await ended(api, (await api.post(TASKS, json=given)).json()["job_id"])
        shown = job["calls"][0]["task"]
        task = (await api.get(f"/api/tasks/{shown['task_id']}")).json()
        told, *_ = (await api.get(f"/api/conversations/{shown['conversation_id']}")).json()[
            "transcript"
        ]
        saved = job["output"]["artifacts"]
        contents = [(await api.get(each["url"])).content for each in saved]
        of_cards = [(await api.get(card["artifacts"][0]["url"])).content for card in cards(task)]
        of_given = [
            (await api.get(each["url"])).content for each in (*task["files"], *told["files"])
        ]
        again = {"instructions": "Read it.", "files": [saved[0], *task["files"]]}
        accepted = await api.post(TASKS, json=again)
        other = saved[0]["url"].replace(saved[0]["digest"], "0" * 64)
        missing = (await api.get(other)).json()

    assert job["output"]["artifacts"] == job["calls"][0]["value"]["artifacts"]
    assert task["answer"]["artifacts"] == saved
    # Both were saved under one name, and each address is of its own content.
    assert contents == of_cards == [b"1 of 2", b"2 of 2"]
    assert of_given == [ORDER, ORDER]
    assert accepted.status_code == 202
    assert missing["code"] == "artifact_not_found"


def cards(task: Any) -> Any:
    return [each for each in task["skill_calls"] if each["artifacts"]]


async def test_what_a_recipe_returns_is_fetched_by_its_digest(serve: Serve) -> None:
    async with serve(shop) as api:
        started = await api.post("/api/projects/shop/recipes/draws/jobs", json={})
        drawn = (await ended(api, started.json()["job_id"]))["output"]
        fetched = await api.get(f"{FILES}/{drawn['digest']}", headers={"Range": "bytes=0-0"})
        upload = await api.get(f"{FILES}/{(await uploaded(api))['digest']}")
        none, no_digest = [await api.get(f"{FILES}/{each}") for each in ("0" * 64, "note.txt")]

    assert (fetched.status_code, fetched.content) == (206, b"1")
    assert fetched.headers["content-type"].startswith("text/plain")
    assert "note.txt" in fetched.headers["content-disposition"]
    assert (upload.content, upload.headers["content-type"]) == (ORDER, "application/octet-stream")
    assert [none.status_code, no_digest.status_code] == [404, 422]


async def test_a_job_keeps_the_upload_that_its_input_names(serve: Serve) -> None:
    start = "/api/projects/shop/recipes/read/jobs"
    async with serve(shop) as api:
        file = await uploaded(api)
        new = {"input": {"order": file}, "files": [file["digest"]]}
        job_id = (await api.post(start, json=new)).json()["job_id"]
        with_none = await api.post(start, json=new | {"files": ["0" * 64]})
        await api.post(f"/api/jobs/{job_id}/events/go", json={})
        job = await ended(api, job_id)

    assert job["output"] == f"{ORDER.decode()}order.csv: {ORDER.decode()}"
    assert (with_none.status_code, with_none.json()["code"]) == (404, "artifact_not_found")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("../passwd", b"x", "no path"), ("a\u202eb", b"x", "control"), ("a.csv", b"", "empty")],
)
async def test_what_is_no_file_is_refused(
    serve: Serve, name: str, content: bytes, says: str
) -> None:
    async with serve(shop, executes=False) as api:
        answered = await api.post(FILES, params={"name": name}, content=content)

    assert (answered.status_code, says in answered.json()["detail"]) == (422, True)


async def test_a_media_type_that_would_break_a_header_is_refused(serve: Serve) -> None:
    declared = "text/x\r\nset-cookie: lampwork_session=evil"
    file = {"name": "a.dat", "content": "aGFsbG8=", "media_type": declared}
    async with serve(shop, executes=False) as api:
        answered = await api.post(TASKS, json={"instructions": "Read.", "files": [file]})

    assert (answered.status_code, answered.json()["code"]) == (422, "file_rejected")


async def test_a_file_has_its_content_or_its_digest(serve: Serve) -> None:
    async with serve(shop, executes=False) as api:
        file = {"name": "a.csv"}
        none = await api.post(TASKS, json={"instructions": "Read.", "files": [file]})
        unknown = file | {"digest": "0" * 64}
        no_such = await api.post(TASKS, json={"instructions": "Read.", "files": [unknown]})

    assert (none.status_code, none.json()["errors"][0]["field"]) == (422, "files.0")
    assert (no_such.status_code, no_such.json()["code"]) == (404, "artifact_not_found")


async def test_a_file_is_of_the_project_that_it_was_uploaded_to_and_gone_after_a_day(
    tmp_path: Any,
) -> None:
    async with opened(shop, tmp_path / "state") as ours:
        kept, given = await ours.upload("a.txt", b"kept"), await ours.upload("b.txt", b"given")
        new = {"kind": "api", "files": [given.digest]}
        await ours.start_named("read", {"order": given.to_json()}, **new)
        for each in (kept, given):
            with pytest.raises(ArtifactNotFound):
                await Door(bank, ours.store).read_artifact(each)
        await ours.store.write(uploads.expire, clock.now() + uploads.KEPT - 60)
        assert await ours.read_artifact(kept) == b"kept"

        tomorrow = clock.now() + uploads.KEPT + 60
        await ours.store.write(uploads.expire, tomorrow)
        await ours.store.write(blobs.collect, tomorrow)

        with pytest.raises(ArtifactNotFound):
            await ours.read_artifact(kept)
        assert await ours.read_artifact(given) == b"given"


@pytest.mark.usefixtures("place")
async def test_an_upload_is_erased_with_what_it_was_given_to(tmp_path: Any) -> None:
    async with opened(shop, tmp_path / "state") as app:
        file = await app.upload("a.txt", b"about ann")
        await app.chat(reader, "Read it.", user="ann", files=[file])
        assert await app.read_artifact(file) == b"about ann"

        await app.erase(user="ann")

        with pytest.raises(ArtifactNotFound):
            await app.read_artifact(file)


class Viewer:
    """Knows one caller, who may look."""

    async def caller(self, request: Any) -> Caller:
        return Caller("ann", {"shop": "viewer"})


@pytest.mark.parametrize("path", [f"{FILES}?name=a.csv", TASKS, "/hooks/shop/none"])
async def test_of_who_may_not_send_it_nothing_is_read(serve: Serve, path: str) -> None:
    async with serve(shop, authority=Viewer(), executes=False) as api:
        reader, writer = await asyncio.open_connection(api.base_url.host, api.base_url.port)
        words = "Host: here\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
        writer.write(f"POST {path} HTTP/1.1\r\n{words}".encode())  # and not a byte of its body

        answered = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        writer.close()

    assert answered.split(b" ")[1] == (b"404" if "hooks" in path else b"403")
