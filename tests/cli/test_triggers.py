"""`lampwork triggers` and `lampwork trigger RECIPE`: what starts by itself, for people, by hand."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

PROJECT = """
import json
from pathlib import Path
from typing import Any

from lampwork import Cron, Job, Poll, Project

project = Project("post")


def letters() -> list[dict[str, Any]]:
    return json.loads(Path("letters.json").read_text())


@project.recipe(triggers=[Poll(letters, every=3600)])
async def deliver(job: Job, id: int, to: str) -> str:
    return f"delivered to {to}"


@project.recipe(triggers=[Cron("0 0 29 2 *"), Cron("0 0 1 1 *", "Europe/Berlin", "once")])
async def count(job: Job) -> str:
    return f"counted for {job.trigger.by}"
"""

POLL = "poll project:letters"
LEAP, YEAR = "cron 0 0 29 2 * UTC", "cron 0 0 1 1 * Europe/Berlin"


@pytest.fixture
def post(lampwork: Any) -> Any:
    """`lampwork`, in the folder of a project with triggers, and letters to deliver."""
    (lampwork.folder / "project.py").write_text(PROJECT)
    letters(lampwork, {"id": 1, "to": "Ada"}, {"id": 2})
    return lampwork


def letters(post: Any, *found: dict[str, Any]) -> None:
    (post.folder / "letters.json").write_text(json.dumps(found))


def listed(post: Any) -> dict[str, Any]:
    """The triggers by name, once the worker has polled."""
    found = post.eventually(
        lambda: [
            items
            for items in [post.json("triggers")["items"]]
            if items and all(each["fired_at"] or each["kind"] == "cron" for each in items)
        ]
    )[0]
    return {each["trigger"]: each for each in found}


def test_before_a_worker_has_been_there_triggers_are_listed_and_may_be_paused(post: Any) -> None:
    poll, leap, year = post.json("triggers")["items"]
    assert [each["trigger"] for each in (poll, leap, year)] == [POLL, LEAP, YEAR]
    assert (poll["next_at"], poll["fired_at"]) == (None, None)
    assert leap["next_at"].endswith("-02-29T00:00:00Z")
    assert post("trigger", "count").out.startswith(
        f"{leap['name']} of count\n  definition  {LEAP}\n  catch up    skip\n"
    )
    assert not (post.folder / ".lampwork").exists()

    post("trigger", "deliver", "pause", "--project", "project.py", "--why", "no post today")
    post.worker()
    post("trigger", "count", "fire", "--trigger", YEAR)
    post.eventually(lambda: post.json("jobs")["items"])
    [job] = post.json("jobs")["items"]
    assert job["recipe"] == "count"
    assert "no post today" in post("triggers", "project.py").out


def test_a_recipe_without_triggers_and_no_recipe_say_so(lampwork: Any) -> None:
    assert lampwork("triggers").out == (
        "No recipe of project shop has triggers. Give one: @project.recipe(triggers=[Cron(…)]).\n"
    )
    assert lampwork("trigger", "add").out == "Recipe add has no triggers.\n"
    fired, unknown = (
        lampwork("trigger", recipe, "fire", "--json") for recipe in ("add", "subtract")
    )
    assert (fired.code, fired.json["error"]["code"]) == (2, "trigger_not_found")
    assert (unknown.code, unknown.json["error"]["code"]) == (2, "recipe_not_found")


def test_triggers_are_listed_with_when_they_come_and_what_they_could_not_start(post: Any) -> None:
    post.worker()

    found = listed(post)

    assert list(found) == [POLL, LEAP, YEAR]
    [job] = post.json("jobs")["items"]
    assert job["recipe"] == "deliver"
    poll = found[POLL]
    assert poll["definition"] == {"function": "project:letters", "every": 3600}
    assert (poll["job"], poll["rejected"], poll["project"]) == (job["job_id"], 1, "post")
    assert found[LEAP]["next_at"].endswith("-02-29T00:00:00Z")
    assert found[YEAR]["definition"] == {
        "expression": "0 0 1 1 *",
        "timezone": "Europe/Berlin",
        "catch_up": "once",
    }
    columns, *rows = post("triggers").out.splitlines()
    assert columns.split() == [*("RECIPE", "TRIGGER", "NEXT", "LAST", "FIRED", "COMES", "NOTE")]
    assert re.fullmatch(
        r"deliver  poll-letters  in (59|60) min +[\d.]+ m?s ago +project:letters +1 item rejected",
        rows[0],
    )


def test_one_recipe_is_shown_with_its_rejected_items(post: Any) -> None:
    post.worker()
    listed(post)

    [poll] = post.json("trigger", "deliver")["items"]
    shown = post("trigger", "deliver").out

    [item] = poll["rejections"]
    assert (item["key"], item["why"]) == ("2", "The input of deliver does not fit: to: missing.")
    assert shown.startswith(
        f"poll-letters of deliver\n  definition  {POLL}\n  every       60 min\n  next        "
    )
    assert shown.endswith(f"  2  {item['why']}\n")
    assert len(post.json("trigger", "count")["items"]) == 2


def test_a_trigger_is_paused_and_started_by_somebody_for_a_reason(post: Any) -> None:
    post.worker()
    listed(post)

    paused = post("trigger", "count", "pause", "--trigger", LEAP, "--why", "no leap", LOGNAME="ann")
    found = listed(post)[LEAP]
    assert paused.out == f"{found['name']} of count: It is paused.\n"
    assert (found["paused"]["by"], found["paused"]["why"]) == ("ann", "no leap")
    assert found["next_at"] is None
    assert "paused by ann: no leap" in post("triggers").out

    words = ("trigger", "count", "start", "--trigger", LEAP, "--by", "ben", "--why", "it is one")
    started = post.json(*words)
    assert (started["paused"], started["started"]["by"]) == (None, "ben")
    assert started["next_at"] is not None


def test_a_trigger_is_fired_by_hand(post: Any) -> None:
    post.worker()
    listed(post)
    letters(post, {"id": 1, "to": "Ada"}, {"id": 3, "to": "Eve"})

    assert post("trigger", "deliver", "fire").out == (
        "poll-letters of deliver: It is to fire now.\n"
    )
    [_, named] = post.json("trigger", "count")["items"]
    post("trigger", "count", "fire", "--trigger", named["name"], "--by", "ben")

    def by_recipe(recipe: str) -> list[Any]:
        return post.json("jobs", "--recipe", recipe, "--status", "succeeded")["items"]

    post.eventually(lambda: len(by_recipe("deliver")) == 2)
    [job] = post.eventually(lambda: by_recipe("count"))
    job = post.job(job["job_id"])
    assert (job["output"], job["trigger"]["by"]) == ("counted for ben", "ben")
    assert listed(post)[YEAR]["asked"] is None


def test_without_a_worker_a_wish_to_fire_is_kept(post: Any, stop: Any) -> None:
    worker = post.worker()
    listed(post)
    stop(worker)

    said = post("trigger", "count", "fire", "--trigger", YEAR, LOGNAME="ann").out
    assert said.splitlines()[1] == (
        "No worker executes the jobs of post now. Start one: lampwork worker"
    )
    assert "to be fired, says ann" in post("triggers").out
    post.worker()
    [job] = post.eventually(lambda: post.json("jobs", "--recipe", "count")["items"])
    assert post.job(job["job_id"], "succeeded")["output"] == "counted for ann"


def test_a_workers_log_begins_with_where_it_executes(post: Any) -> None:
    post("trigger", "count", "fire", "--trigger", YEAR, LOGNAME="ann")

    with (post.folder / "log").open("w") as log:
        post.start("worker", stdout=log.fileno(), stderr=log.fileno())
    post.eventually(lambda: "starts a job" in (post.folder / "log").read_text())

    first, *lines = (post.folder / "log").read_text().splitlines()
    assert first.startswith("Lampwork executes the jobs of ")
    [fired] = [line for line in lines if "starts a job" in line]
    assert fired.endswith(f"{YEAR} of count starts a job: fired by ann")


def test_one_of_several_must_be_named(post: Any) -> None:
    post.worker()
    listed(post)

    done = post("trigger", "count", "pause")

    assert done.code == 2
    names = [each["name"] for each in post.json("trigger", "count")["items"]]
    known = f"{names[0]} ({LEAP}), {names[1]} ({YEAR})"
    assert done.err == f'Error: Recipe "count" has these triggers: {known}. Name one.\n'
    assert all(shlex.quote(name) == name for name in names)


def test_a_poll_that_fails_says_why(post: Any) -> None:
    (post.folder / "letters.json").write_text("closed")
    post.worker()

    [poll] = post.eventually(
        lambda: [each for each in post.json("triggers")["items"] if each["error"]]
    )

    assert poll["error"]["message"].startswith("project:letters raised JSONDecodeError: Expecting")
    assert "raised JSONDecodeError" in post("triggers").out


def test_a_script_that_runs_one_recipe_starts_nothing_that_is_due(post: Any) -> None:
    post.json("run", "count", "--wait")

    assert [job["recipe"] for job in post.json("jobs")["items"]] == ["count"]
    assert {each["fired_at"] for each in post.json("triggers")["items"]} == {None}


def test_without_a_worker_the_list_says_that_nothing_fires(post: Any, stop: Any) -> None:
    said = "No worker is running: nothing fires. Start one: lampwork worker\n"
    assert post("triggers").err == said
    worker = post.worker()
    assert post("triggers").err == ""
    stop(worker)
    assert post("triggers").err == said


def test_a_trigger_that_there_is_not_is_said_with_those_that_there_are(post: Any) -> None:
    refused = post("trigger", "deliver", "fire", "--trigger", "poll")

    assert refused.code == 2
    assert (
        refused.err
        == f'Error: Recipe "deliver" has no trigger "poll". It has: poll-letters ({POLL}).\n'
    )
