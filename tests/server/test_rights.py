"""Each route: the role that it takes, and that what is another project's is not there.

A route that is added without a row here fails.
"""

from __future__ import annotations

from typing import Any

import httpx
from tests.support import opened

from lampwork import Answer, Job, Project, playbook
from lampwork.errors import SignInNeeded
from lampwork.people import Caller
from lampwork.people.caller import may
from lampwork.types import ROLES, Role

from .conftest import Serve

shop, bank = Project("shop"), Project("bank")
teller = bank.genie(
    "teller", model=playbook(lambda turn: Answer("done")), job_description="You pay."
)


@bank.recipe()
async def pays(job: Job) -> str:
    return (await job.assign_task(teller, "Pay.")).response


ANYBODY = None
"""Who it is, is not asked."""

SIGNED_IN = ""
"""Whatever role that person has."""

ROUTES: dict[str, Role | str | None] = {
    "GET /": ANYBODY,
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /metrics": "viewer",
    "GET /api/projects": "viewer",
    "GET /api/status": "viewer",
    "GET /api/workers": "viewer",
    "GET /api/usage": "viewer",
    "GET /api/events": "viewer",
    "POST /api/session": ANYBODY,
    "POST /api/session/link": ANYBODY,
    "GET /api/session": SIGNED_IN,
    "DELETE /api/session": SIGNED_IN,
    "PUT /api/session/password": SIGNED_IN,
    "GET /api/jobs": "viewer",
    "GET /api/jobs/{job_id}": "viewer",
    "GET /api/jobs/{job_id}/summary": "viewer",
    "GET /api/jobs/{job_id}/timeline": "viewer",
    "POST /api/jobs/{job_id}/cancel": "builder",
    "POST /api/jobs/{job_id}/events/{name}": "builder",
    "POST /api/jobs/{job_id}/resolve": "approver",
    "POST /api/jobs/{job_id}/confirm": "builder",
    "POST /api/jobs/{job_id}/reject": "builder",
    "POST /api/jobs/{job_id}/go-on": "builder",
    "GET /api/jobs/{job_id}/retry": "viewer",
    "POST /api/jobs/{job_id}/retry": "builder",
    "GET /api/jobs/{job_id}/rerun": "viewer",
    "POST /api/jobs/{job_id}/rerun": "builder",
    "GET /api/jobs/{job_id}/fork": "viewer",
    "POST /api/jobs/{job_id}/fork": "builder",
    "GET /api/tasks/{task_id}": "viewer",
    "GET /api/jobs/{job_id}/orchestration": "viewer",
    "GET /api/tasks/{task_id}/orchestration": "viewer",
    "POST /api/tasks/{task_id}/orchestration/plan/approve": "approver",
    "POST /api/tasks/{task_id}/orchestration/plan/reject": "approver",
    "POST /api/tasks/{task_id}/orchestration/plan/edit": "approver",
    "POST /api/tasks/{task_id}/orchestration/subtasks/{subtask}/answer": "approver",
    "POST /api/tasks/{task_id}/orchestration/subtasks/{subtask}/reassign": "approver",
    "POST /api/tasks/{task_id}/orchestration/subtasks/{subtask}/retry": "approver",
    "POST /api/tasks/{task_id}/orchestration/subtasks/{subtask}/skip": "approver",
    "GET /api/tasks/{task_id}/files/{name}": "viewer",
    "HEAD /api/tasks/{task_id}/files/{name}": "viewer",
    "GET /api/tasks/{task_id}/artifacts/{name}": "viewer",
    "HEAD /api/tasks/{task_id}/artifacts/{name}": "viewer",
    "POST /api/tasks/{task_id}/answer": "approver",
    "POST /api/tasks/{task_id}/answer/plan": "approver",
    "POST /api/projects/{project}/files": "builder",
    "GET /api/projects/{project}/files/{digest}": "viewer",
    "HEAD /api/projects/{project}/files/{digest}": "viewer",
    "GET /api/conversations": "viewer",
    "GET /api/conversations/{conversation_id}": "viewer",
    "GET /api/conversations/{conversation_id}/transcript": "viewer",
    "GET /api/conversations/{conversation_id}/requests": "viewer",
    "GET /api/conversations/{conversation_id}/recording": "viewer",
    "GET /api/conversations/{conversation_id}/artifacts/{name}": "viewer",
    "HEAD /api/conversations/{conversation_id}/artifacts/{name}": "viewer",
    "GET /api/projects/{project}/recipes": "viewer",
    "GET /api/projects/{project}/recipes/{recipe}": "viewer",
    "GET /api/projects/{project}/recipes/{recipe}/graph": "viewer",
    "POST /api/projects/{project}/recipes/{recipe}/jobs": "builder",
    "GET /api/projects/{project}/genies": "viewer",
    "GET /api/projects/{project}/genies/{genie}": "viewer",
    "POST /api/projects/{project}/genies/{genie}/tasks": "builder",
    "POST /api/projects/{project}/genies/{genie}/pause": "admin",
    "POST /api/projects/{project}/genies/{genie}/start": "admin",
    "POST /api/projects/{project}/chat/{genie}/messages": "builder",
    "GET /api/projects/{project}/skills": "viewer",
    "GET /api/projects/{project}/people": "admin",
    "POST /api/projects/{project}/people": "admin",
    "PUT /api/projects/{project}/people/{email}": "admin",
    "PUT /api/projects/{project}/people/{email}/password": "admin",
    "POST /api/projects/{project}/people/{email}/disable": "admin",
    "POST /api/projects/{project}/people/{email}/enable": "admin",
    "GET /api/projects/{project}/keys": "admin",
    "POST /api/projects/{project}/keys": "admin",
    "DELETE /api/projects/{project}/keys/{prefix}": "admin",
    "GET /api/projects/{project}/audit": "admin",
    "GET /api/projects/{project}/triggers": "viewer",
    "GET /api/projects/{project}/triggers/{recipe}": "viewer",
    "POST /api/projects/{project}/triggers/{recipe}/fire": "builder",
    "POST /api/projects/{project}/triggers/{recipe}/pause": "admin",
    "POST /api/projects/{project}/triggers/{recipe}/start": "admin",
    "POST /hooks/{project}/{path:path}": ANYBODY,
    "GET /run/{project}/{path:path}": "builder",
    "POST /run/{project}/{path:path}": "builder",
    "PUT /run/{project}/{path:path}": "builder",
    "PATCH /run/{project}/{path:path}": "builder",
    "DELETE /run/{project}/{path:path}": "builder",
}


class ByHeader:
    """Knows callers by the role that they say."""

    async def caller(self, request: Any) -> Caller:
        said = request.headers.get("x-role")
        if said is None:
            raise SignInNeeded("Say your role.")
        return Caller("ann", {} if said == "none" else {"shop": said})


class Looking(ByHeader):
    """Keeps the application that asks."""

    async def caller(self, request: Any) -> Caller:
        self.app = request.app
        return await super().caller(request)


async def test_each_route_has_a_row(serve: Serve) -> None:
    authority = Looking()
    async with serve(shop, executes=False, authority=authority) as api:
        await api.get("/api/jobs", headers={"x-role": "viewer"})

    routes = authority.app.state.routes
    assert {f"{method} {each.path}" for each in routes for method in each.methods} == ROUTES.keys()


async def theirs(tmp_path: Any) -> dict[str, str]:
    """Ids of what the other project has."""
    async with opened(bank, tmp_path / "state") as app:
        job_id = await app.start(pays)
        await app.result(job_id)
    call = f"{job_id[1:]}.1"
    return {
        "job_id": job_id,
        "task_id": f"t{call}",
        "conversation_id": f"c{call}",
        "subtask": "a",
        "project": "bank",
        "digest": "0" * 64,
        **dict.fromkeys(("recipe", "genie", "name", "path", "email", "prefix"), "pays"),
    }


async def status(api: httpx.AsyncClient, row: str, ids: dict[str, str], role: str | None) -> int:
    method, path = row.replace(":path", "").format(**ids).split(" ")
    headers = {} if role is None else {"x-role": role}
    async with api.stream(method, path, headers=headers) as answered:  # one of them never ends
        return answered.status_code


async def test_each_route_takes_its_role_and_shows_nothing_of_another_project(
    serve: Serve, tmp_path: Any
) -> None:
    ids = await theirs(tmp_path)
    async with serve(shop, executes=False, authority=ByHeader()) as api:
        for row, needed in ROUTES.items():
            if needed is ANYBODY or needed == SIGNED_IN:
                continue
            assert await status(api, row, ids, None) == 401, row
            assert await status(api, row, ids, "none") == 404, row
            for role in ROLES:
                answered = await status(api, row, ids, role)
                if not may(role, needed):  # type: ignore[arg-type]
                    assert answered == 403, (row, role)
                elif "{" in row:
                    assert answered == 404, (row, role)
                else:
                    assert answered == 200, (row, role)
        assert await status(api, "POST /hooks/{project}/{path:path}", ids, None) == 404
        assert await status(api, "GET /api/session", ids, None) == 401
