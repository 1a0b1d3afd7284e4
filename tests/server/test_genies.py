"""Genies over HTTP: tasks and their answers, conversations, what was saved, what they have used."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from tests.support import Metered, eventually

from lampwork import Answer, Call, CannotComplete, Job, Metadata, Project, SkillCall, Turn, playbook
from lampwork.people import Caller

from .conftest import Serve

project = Project("shop")
GENIES = "/api/projects/shop/genies"


@project.skill(effect="idempotent")
def approve(note: str, invoice_id: Metadata[str], call: SkillCall) -> str:
    """Approve the invoice."""
    call.save_artifact("receipt.txt", b"0123456789", "text/plain")
    return f"approved: {note}"


@playbook
def clerk(turn: Turn) -> Call | Answer | CannotComplete:
    if "gold" in turn.instructions:
        return CannotComplete("there is no gold", ["gold"])
    if not turn.results:
        return Call("approve", note=" and ".join(file.name for file in turn.files) or "fine")
    return Answer(turn.results[0].value)


project.genie("finance", model=clerk, job_description="You check.", skills=[approve])
project.genie("metered", model=Metered(lambda turn: Answer("done")), job_description="You cost.")


@project.recipe()
async def gives_up(job: Job) -> str:
    return (await job.assign_task(project.genies["finance"], "Find gold.")).response


async def done(api: httpx.AsyncClient, job_id: str, status: str = "succeeded") -> Any:
    async def ended() -> Any:
        job = (await api.get(f"/api/jobs/{job_id}")).json()
        return job if job["status"] == status else None

    return await eventually(ended, f"job {job_id} never {status}")


async def assigned(api: httpx.AsyncClient, genie: str = "finance", **task: Any) -> Any:
    """The task that a genie was given, once it is answered."""
    given = {"instructions": "Check it."} | task
    answered = await api.post(f"{GENIES}/{genie}/tasks", json=given)
    assert answered.status_code == 202, answered.text
    job = await done(api, answered.json()["job_id"])
    return (await api.get(f"/api/tasks/{job['calls'][0]['task']['task_id']}")).json()


@pytest.mark.usefixtures("place")
async def test_a_task_is_answered_and_its_metadata_reach_the_skill(serve: Serve) -> None:
    async with serve(project) as api:
        task = await assigned(api, metadata={"invoice_id": "INV-20771"})

        async def listed(**wanted: str) -> list[str]:
            found = await api.get("/api/jobs", params=wanted)
            return [job["job_id"] for job in found.json()["items"]]

        assert await listed(genie="finance") == [task["job"]]
        assert await listed(genie="metered") == []
        assert await listed(metadata="invoice_id") == [task["job"]]
        assert await listed(metadata="invoice_id=INV-20771") == [task["job"]]
        assert await listed(metadata="invoice_id=INV-2") == []
        assert await listed(text="check IT") == [task["job"]]
        assert await listed(text="check%") == []
        misfit = await api.get("/api/jobs", params={"metadata": 'a"b'})

    assert misfit.status_code == 422
    assert (task["status"], task["answer"]["output"]) == ("answered", "approved: fine")
    assert task["metadata"] == {"invoice_id": "INV-20771"}
    assert task["answer"]["proof"]["clean"] == 2


@pytest.mark.parametrize("content", ["12 lamps", "???", 12])
async def test_a_content_that_was_not_encoded_is_refused(serve: Serve, content: Any) -> None:
    file = {"name": "po.txt", "content": content}
    async with serve(project, executes=False) as api:
        task = {"instructions": "Read it.", "files": [file]}
        refused = await api.post("/api/projects/shop/genies/reader/tasks", json=task)

    assert (refused.status_code, "base64" in refused.json()["detail"]) == (422, True)
    assert refused.json()["errors"][0]["field"] == "files.0.content"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"metadata": {"invoice_id": "INV-1"}, "sealed": ["invoice_ID"]}, "sealed"),
        ({"sealed": ["invoice_id"]}, "sealed"),
        ({"deadline": "9999-12-31T23:59:59-12:00"}, "deadline"),
    ],
)
async def test_terms_that_say_nothing_are_refused(serve: Serve, given: Any, field: str) -> None:
    async with serve(project, executes=False) as api:
        task = {"instructions": "Check it."} | given
        answered = await api.post(f"{GENIES}/finance/tasks", json=task)

    assert answered.status_code == 422
    assert [each["field"] for each in answered.json()["errors"]] == [field]


async def test_a_file_is_given_in_base64(serve: Serve) -> None:
    file = {"name": "po.txt", "content": base64.b64encode(b"12 lamps").decode()}
    async with serve(project) as api:
        task = await assigned(api, metadata={"invoice_id": "INV-20771"}, files=[file])

    assert task["answer"]["output"] == "approved: po.txt"


async def test_what_a_genie_can_not_do_is_refused_before_any_model_call(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        unknown = await api.post(f"{GENIES}/nobody/tasks", json={"instructions": "Hello."})
        spoofed = await api.post(
            f"{GENIES}/finance/tasks", json={"instructions": "Hi.", "metadata": {"invoce_id": "I"}}
        )

    assert (unknown.status_code, unknown.json()["code"]) == (404, "genie_not_found")
    assert (spoofed.status_code, spoofed.json()["code"]) == (422, "metadata_unknown")
    assert "invoice_id" in spoofed.json()["detail"]


async def test_a_paused_genie_says_who_paused_it(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        paused = await api.post(f"{GENIES}/finance/pause", json={"why": "stocktaking"})
        listed = (await api.get(GENIES)).json()["items"]
        started = await api.post(f"{GENIES}/finance/start")

    assert paused.json()["paused"]["by"] == "local"
    assert paused.json()["paused"]["why"] == "stocktaking"
    assert [each["status"] for each in listed] == ["paused", "active", "active"]
    assert (started.json()["status"], started.json()["paused"]) == ("active", None)


async def test_a_transcript_is_read_on_from_the_last_entry_seen(serve: Serve) -> None:
    async with serve(project) as api:
        task = await assigned(api, metadata={"invoice_id": "INV-20771"})
        url = f"/api/conversations/{task['conversation_id']}"
        whole = (await api.get(url)).json()["transcript"]

        async def read(after: int, limit: int) -> Any:
            asked = await api.get(f"{url}/transcript", params={"after": after, "limit": limit})
            return asked.json()

        at_once = await read(0, 1000)
        shown: dict[Any, Any] = {}
        after, more, cards = 0, True, list[str]()
        while more:  # entry by entry, as who looks at it while it grows
            new = await read(after, 1)
            shown |= {(each["seq"], each["kind"]): each for each in new["items"]}
            cards += [each["status"] for each in new["items"] if each["kind"] == "skill_call"]
            after, more = new["last"], new["more"]
        end = await read(after, 1)
        beyond = await read(after + 7, 1)

    assert (at_once["items"], at_once["last"], at_once["more"]) == (whole, after, False)
    assert sorted(shown.values(), key=lambda each: each["seq"]) == whole
    assert cards == ["open", "ok"]
    assert end == {"items": [], "last": after, "more": False}
    assert beyond == {"items": [], "last": after + 7, "more": False}


async def test_conversations_are_listed_by_what_is_asked_of_them(serve: Serve) -> None:
    async with serve(project) as api:
        task = await assigned(api, metadata={"invoice_id": "INV-20771"})
        conversation = task["conversation_id"]

        async def listed(**wanted: str) -> list[str]:
            found = await api.get("/api/conversations", params=wanted)
            return [each["conversation_id"] for each in found.json()["items"]]

        begun = (await api.get(f"/api/conversations/{conversation}")).json()["created_at"]
        here: list[dict[str, str]] = [
            *({}, {"genie": "finance"}, {"recipe": "lampwork.job:assigned"}),
            *({"status": "answered"}, {"since": begun}, {"text": conversation[:12]}),
            *({"metadata": "invoice_id"}, {"metadata": "invoice_id=INV-20771"}),
            {"text": task["instructions"].upper()[1:6]},
        ]
        elsewhere = [
            *({"genie": "sales"}, {"recipe": "review"}, {"status": "failed"}, {"until": begun}),
            *({"status": "working"}, {"waiting_on": "event"}, {"metadata": "vessel"}),
            *({"metadata": "invoice_id=1"}, {"text": "customs"}),
        ]
        assert [each for each in here if await listed(**each) != [conversation]] == []
        assert [each for each in elsewhere if await listed(**each) != []] == []


async def test_a_conversation_and_what_was_saved_in_it(serve: Serve) -> None:
    async with serve(project) as api:
        task = await assigned(api, metadata={"invoice_id": "INV-20771"})
        listed = (await api.get("/api/conversations", params={"genie": "finance"})).json()["items"]
        url = f"/api/conversations/{task['conversation_id']}"
        conversation = (await api.get(url)).json()
        whole = await api.get(f"{url}/artifacts/receipt.txt")
        part = await api.get(f"{url}/artifacts/receipt.txt", headers={"Range": "bytes=2-4"})
        end = await api.get(f"{url}/artifacts/receipt.txt", headers={"Range": "bytes=-3"})
        beyond = await api.get(f"{url}/artifacts/receipt.txt", headers={"Range": "bytes=10-"})
        known = await api.get(
            f"{url}/artifacts/receipt.txt", headers={"If-None-Match": whole.headers["etag"]}
        )
        missing = await api.get(f"{url}/artifacts/other.txt")

    assert [each["conversation_id"] for each in listed] == [task["conversation_id"]]
    assert [part["kind"] for part in conversation["transcript"]] == [
        "told",
        "said",
        "skill_call",
        "said",
        "answered",
    ]
    assert (whole.status_code, whole.content) == (200, b"0123456789")
    assert whole.headers["content-disposition"].startswith("attachment")
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert end.content == b"789"
    assert (beyond.status_code, beyond.json()["fields"]) == (416, {"size": 10})
    assert (known.status_code, known.content) == (304, b"")
    assert (missing.status_code, missing.json()["code"]) == (404, "artifact_not_found")


async def test_a_person_answers_for_a_genie_that_has_failed(serve: Serve) -> None:
    async with serve(project) as api:
        started = await api.post("/api/projects/shop/recipes/gives_up/jobs", json={})
        job = await done(api, started.json()["job_id"], "failed")
        task_id = job["calls"][0]["task"]["task_id"]

        answered = await api.post(f"/api/tasks/{task_id}/answer", json={"answer": "in the cellar"})

        assert answered.json()["retry_of"] == job["job_id"]
        assert (await done(api, answered.json()["job_id"]))["output"] == "in the cellar"


other = Project("bank")


async def test_another_projects_tasks_and_conversations_are_not_there(serve: Serve) -> None:
    async with serve(project) as api:
        task = await assigned(api, metadata={"invoice_id": "INV-20771"})
    of_one = [
        ("GET", f"/api/tasks/{task['task_id']}"),
        ("POST", f"/api/tasks/{task['task_id']}/answer"),
        ("GET", f"/api/conversations/{task['conversation_id']}"),
        ("GET", f"/api/conversations/{task['conversation_id']}/artifacts/receipt.txt"),
        ("GET", f"{GENIES}/finance"),
    ]
    async with serve(other, executes=False) as api:
        for method, path in of_one:
            answered = await api.request(method, path, json={"answer": "done"})
            assert answered.status_code == 404, path
        elsewhere = await api.get(f"/api/conversations?after={task['conversation_id']}")
        nowhere = await api.get("/api/conversations?after=c0")
        assert (elsewhere.status_code, nowhere.status_code) == (422, 422)
        assert (await api.get("/api/usage")).json()["items"] == []


@pytest.mark.usefixtures("place")
async def test_usage_is_told_by_day_genie_and_model(serve: Serve) -> None:
    async with serve(project) as api:
        await assigned(api, "metered")

        usage = (await api.get("/api/usage", params={"days": 2})).json()["items"]
        metrics = (await api.get("/metrics")).text

    [spent] = usage
    assert (spent["genie"], spent["usage"]["requests"]) == ("metered", 1)
    assert 'lampwork_jobs{status="succeeded"} 1' in metrics
    assert "lampwork_model_call_seconds_count 1" in metrics


@project.skill(confirm=True, effect="idempotent")
def order(item: str) -> str:
    """Order an item."""
    return f"ordered {item}"


@playbook
def shopkeeper(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("order", item="lamp")
    return Answer(str(turn.results[0].value))


project.genie("keeper", model=shopkeeper, job_description="You order.", skills=[order])


async def test_what_a_genie_proposes_is_done_when_its_user_has_confirmed_that(serve: Serve) -> None:
    async with serve(project) as api:
        said = await api.post("/api/projects/shop/chat/keeper/messages", json={"message": "Lamp."})
        url = f"/api/jobs/{said.json()['job_id']}"

        async def proposed() -> Any:
            waits = (await api.get(url)).json()["waiting_on"]
            return next((each for each in waits if each["kind"] == "confirmation"), None)

        wait = await eventually(proposed)
        seen = {"wait_id": wait["wait_id"], "digest": wait["subject"]["digest"]}
        changed = await api.post(f"{url}/confirm", json=seen | {"digest": "0" * 64})
        confirmed = await api.post(f"{url}/confirm", json=seen)
        job = await done(api, said.json()["job_id"])
        late = await api.post(f"{url}/reject", json=seen | {"reason": "too dear"})

    assert (changed.status_code, changed.json()["code"]) == (409, "proposal_changed")
    assert confirmed.status_code == 202
    assert job["output"]["output"] == "ordered lamp"
    assert late.status_code == 409


async def test_a_chat_is_its_callers(serve: Serve) -> None:
    async with serve(project) as api:
        said = await api.post(
            "/api/projects/shop/chat/metered/messages", json={"message": "Hello."}
        )
        await done(api, said.json()["job_id"])

        [chat] = (await api.get("/api/conversations")).json()["items"]

    assert (chat["kind"], chat["user"]) == ("chat", "local")


class EitherOfTwo:
    """Knows whoever says who they are."""

    async def caller(self, request: Any) -> Caller:
        return Caller(request.headers["x-name"], everywhere="admin")


async def test_what_somebody_has_said_is_said_again_by_nobody_else(serve: Serve) -> None:
    ann, ben = {"x-name": "ann"}, {"x-name": "ben"}
    chat, task = "/api/projects/shop/chat/metered/messages", f"{GENIES}/metered/tasks"
    async with serve(project, authority=EitherOfTwo()) as api:
        said = (await api.post(chat, json={"message": "Pay."}, headers=ann)).json()["job_id"]
        given = (await api.post(task, json={"instructions": "Pay."}, headers=ann)).json()["job_id"]
        api.headers.update(ben)
        await done(api, said)
        await done(api, given)
        for what, body in (("rerun", None), ("fork", {"at": 1})):
            refused = await api.post(f"/api/jobs/{said}/{what}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "user_not_allowed")
        by_ann = await api.post(f"/api/jobs/{said}/rerun", headers=ann)
        by_ben = await api.post(f"/api/jobs/{given}/rerun")

    assert [each.status_code for each in (by_ann, by_ben)] == [202, 202]


async def test_the_ledger_of_an_orchestration_is_read(serve: Serve) -> None:
    plan = {"id": "check", "title": "Check", "agent": "finance", "brief": "Check it."}

    @playbook
    def lead(turn: Turn) -> Call | Answer:
        return Answer("done") if turn.results else Call("plan", subtasks=[plan])

    desk = Project("shop")
    finance = desk.genie("finance", model=playbook(lambda _: Answer("fine")), job_description="")
    desk.orchestrator("lead", model=lead, job_description="You lead.", agents=[finance])
    async with serve(desk) as api:
        begun = await api.post(f"{GENIES}/lead/tasks", json={"instructions": "Go."})
        job_id = begun.json()["job_id"]
        await done(api, job_id)
        task = f"/api/tasks/t{job_id[1:]}.1"
        ledger = (await api.get(f"{task}/orchestration")).json()
        [attempt] = ledger["subtasks"][0]["attempts"]
        none = await api.get(f"/api/tasks/{attempt['task_id']}/orchestration")

    assert (ledger["status"], ledger["subtasks"][0]["status"]) == ("answered", "succeeded")
    assert (attempt["agent"], attempt["status"]) == ("finance", "accepted")
    assert none.status_code == 404
