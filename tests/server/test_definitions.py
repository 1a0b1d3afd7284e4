"""What the code defines, over HTTP: recipes with their input, skills, triggers, who executes."""

from __future__ import annotations

from pydantic import BaseModel
from tests.support import eventually

from lampwork import Cron, Job, Metadata, Project

from .conftest import Serve

project = Project("shop", "The shop")
RECIPES = "/api/projects/shop/recipes"
TRIGGERS = "/api/projects/shop/triggers"


class Order(BaseModel):
    """What was ordered."""

    item: str
    count: int = 1


@project.recipe()
async def deliver(job: Job, order: Order, to: str = "home") -> int:
    """Deliver an order."""
    return order.count


@project.recipe(triggers=[Cron("0 0 29 2 *")])
async def report(job: Job) -> str:
    return "all well"


@project.skill(effect="read")
def look_up(item: str, customer: Metadata[str]) -> int:
    """Look a price up."""
    return 7


async def test_a_recipe_says_what_it_takes(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        listed = (await api.get(RECIPES)).json()["items"]
        recipe = (await api.get(f"{RECIPES}/deliver")).json()
        missing = await api.get(f"{RECIPES}/delivr")

    assert [each["recipe"] for each in listed] == ["deliver", "report", "weigh"]
    assert recipe["doc"] == "Deliver an order."
    schema = recipe["input_schema"]
    assert schema["required"] == ["order"]
    assert schema["$defs"]["Order"]["properties"]["count"]["default"] == 1
    assert recipe["output_schema"] == {"type": "integer"}
    assert "deliver" in missing.json()["detail"]


@project.recipe()
async def weigh(job: Job, grams: int) -> int:
    await job.now()
    if grams < 0:
        raise ValueError("nothing weighs less than nothing")
    return grams


async def test_a_recipe_says_how_its_last_jobs_went(serve: Serve) -> None:
    async with serve(project) as api:
        before = (await api.get(f"{RECIPES}/weigh")).json()["figures"]
        for grams in (1, 2, -1):
            made = await api.post(f"{RECIPES}/weigh/jobs", json={"input": {"grams": grams}})
            url = made.headers["location"]

            async def over(url: str = url) -> bool:
                return (await api.get(url)).json()["ended_at"] is not None

            await eventually(over)
        listed = (await api.get(RECIPES, params={"days": 1})).json()["items"]
        shown = (await api.get(f"{RECIPES}/weigh")).json()["figures"]

    assert (before["jobs"], before["outcomes"], before["last"]) == (0, {}, [])
    assert (before["p50"], before["p95"]) == (None, None)
    [figures] = [each["figures"] for each in listed if each["recipe"] == "weigh"]
    assert (figures["jobs"], figures["outcomes"]) == (3, {"succeeded": 2, "failed": 1})
    assert figures["last"] == ["failed", "succeeded", "succeeded"]
    assert 0 < figures["p50"] <= figures["p95"]
    assert shown | {"since": None} == figures | {"since": None}


async def test_a_recipe_is_drawn_from_its_code(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        graph = (await api.get(f"{RECIPES}/report/graph")).json()
        missing = await api.get(f"{RECIPES}/reports/graph")

    assert [each["kind"] for each in graph["nodes"]] == ["begin", "end"]
    assert {each["file"] for each in graph["nodes"]} == {"tests/server/test_definitions.py"}
    assert graph["edges"] == [{"source": "n0", "target": "n1", "label": "", "raises": False}]
    assert graph["code"][0]["text"].endswith('return "all well"')
    assert missing.json()["code"] == "recipe_not_found"


async def test_skills_are_listed_with_the_metadata_that_they_read(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        [skill] = (await api.get("/api/projects/shop/skills")).json()["items"]

    assert (skill["name"], skill["effect"], skill["metadata"]) == ("look_up", "read", ["customer"])


async def test_a_trigger_is_paused_started_and_fired(serve: Serve) -> None:
    async with serve(project, triggers=True) as api:
        paused = await api.post(f"{TRIGGERS}/report/pause", json={"why": "holidays"})
        [while_paused] = (await api.get(TRIGGERS)).json()["items"]
        await api.post(f"{TRIGGERS}/report/start", json={})
        fired = await api.post(f"{TRIGGERS}/report/fire", json={})

        async def jobs() -> list[object]:
            found = await api.get("/api/jobs", params={"status": "succeeded"})
            return found.json()["items"]

        [job] = await eventually(jobs)
        none = await api.post(f"{TRIGGERS}/deliver/fire", json={})

    assert paused.json()["items"][0]["paused"]["why"] == "holidays"
    assert while_paused["next_at"] is None
    assert fired.status_code == 202
    assert job["recipe"] == "report"
    assert (none.status_code, none.json()["code"]) == (404, "trigger_not_found")


async def test_the_project_its_workers_and_how_it_stands(serve: Serve) -> None:
    async with serve(project) as api:
        [shown] = (await api.get("/api/projects")).json()["items"]
        [worker] = (await api.get("/api/workers")).json()["items"]
        status = (await api.get("/api/status")).json()

    assert (shown["title"], shown["executes"], shown["role"]) == ("The shop", True, "admin")
    assert (worker["project"], worker["state"]) == ("shop", "alive")
    assert status["jobs"]["running"] == 0
