"""/openapi.json, as those read it who generate clients of it."""

from __future__ import annotations

import base64
import hashlib
import re

from lampwork import Project

from .conftest import Serve

project = Project("shop")


async def test_names_make_good_classes_and_functions(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        described = (await api.get("/openapi.json")).json()

    operations = [each for path in described["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    schemas = described["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"([A-Z][a-z]+)+", name)] == []
    # Generators name classes by titles, and leave out the second one of a name.
    assert [each["title"] for each in schemas.values()] == list(schemas)


async def test_contents_are_bytes_to_who_generates_a_client(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        described = (await api.get("/openapi.json")).json()

    path = described["paths"]["/api/tasks/{task_id}/artifacts/{name}"]["get"]
    first = next(iter(path["responses"]["200"]["content"].items()))
    assert first == (
        "application/octet-stream",
        {"schema": {"type": "string", "format": "binary"}},
    )


async def test_it_says_how_who_calls_is_known(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        described = (await api.get("/openapi.json")).json()

    schemes = described["components"]["securitySchemes"]
    assert (schemes["key"]["scheme"], schemes["session"]["in"]) == ("bearer", "cookie")
    known = [{"key": []}, {"session": []}, {}]
    assert described["paths"]["/api/jobs"]["get"]["security"] == known
    assert "security" not in described["paths"]["/healthz"]["get"]
    assert "security" not in described["paths"]["/api/session"]["post"]


async def test_the_page_that_the_link_opens_runs_its_own_script_alone(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        page = await api.get("/")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = page.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", f"script-src 'sha256-{digest}'"} < set(policy)
    assert 'fetch("/api/session/link"' in script
