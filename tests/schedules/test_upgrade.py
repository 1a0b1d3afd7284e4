"""What a rehearsal says of a change of code is what a run then does.

Each edit is made under a job that waits; then the job is rehearsed, and then it is woken.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.behind import place_at
from tests.support import (
    NEVER,
    armed,
    clerk,
    dying,
    eventually,
    once,
    opened,
    park,
    result,
    row,
    rows,
    sql,
    status,
)

from lampwork import App, Job, Project
from lampwork.door import Door
from lampwork.store import schema
from lampwork.store.store import Store
from lampwork.versioning.upgrade import Rehearsed, rehearse_all
from lampwork.worker import execution

happened: list[str] = []

edits: set[str] = set()
"""What has been changed in the code below."""


@pytest.fixture(autouse=True)
def _as_it_was() -> None:
    happened.clear()
    edits.clear()


def pay() -> None:
    happened.append("pay")


def fetch() -> int:
    return 1


def fetch_list() -> list[str]:
    return []


fetch_list.__qualname__ = "fetch"


def look_up() -> int:
    return 1


async def item(job: Job, number: int) -> int:
    return number + await job.wait_for("go", int)


def tidy() -> None:
    happened.append("tidy")


def mend() -> str:
    """Mend it."""
    happened.append("mend")
    return "mended"


async def mend_in_steps(job: Job) -> str:
    """Mend it."""
    return await job.step(str, "mended")


async def inquire(job: Job) -> str:
    """Inquire."""
    return await job.wait_for("go", str)


def look_into_it() -> str:
    """Inquire."""
    happened.append("looked into")
    return "x"


async def order(job: Job) -> str:
    if "a start that is heard" in edits:
        happened.append("started")
    if "an inserted call" in edits:
        await job.step(pay)
    fetched = fetch_list if "another type of a recorded result" in edits else fetch
    await job.step(look_up if "a renamed step" in edits else fetched)
    if "a removed call" in edits:
        return "removed"
    word = await job.wait_for("go", str)
    if "new code behind the waiting call" in edits:
        await job.step(pay)
    return word


async def side_by_side(job: Job) -> str:
    names = ["a", "b"]
    if "a reordered branch" in edits:
        names.reverse()
    if "a removed branch" in edits:
        names.pop()
    return "".join(await job.gather(*[job.wait_for(name, str) for name in names]))


async def each(job: Job) -> list[int]:
    return await job.map(item, [1, 2, 3] if "another length of a map" in edits else [1, 2])


async def repair(job: Job) -> str:
    output = {"type": "integer" if "another type of an open task" in edits else "string"}
    return (await job.assign_task("mender", "Mend it.", output=output)).output


async def inquiry(job: Job) -> str:
    words = "Inquire twice." if "other instructions of an open task" in edits else "Inquire."
    return (await job.assign_task("inquirer", words)).response


async def ending(job: Job) -> str:
    if "a recipe that raises" in edits:
        raise KeyError("a bug")
    if "nothing after the end" not in edits:
        job.on_end(tidy)
    return await job.wait_for("go", str)


async def greeting(job: Job, name: str) -> str:
    return name + await job.wait_for("go", str)


async def greeting_by_title(job: Job, title: str) -> str:
    return title + await job.wait_for("go", str)


def define(project: Project) -> None:
    """The recipes and genies, as the edits have left them."""
    project._recipes.clear()
    project._genies.clear()
    project._skills.clear()
    skills: dict[str, Any] = {"inquire": project.recipe(name="inquire")(inquire)}
    if "mend as a recipe" in edits:
        skills["mend"] = project.recipe(name="mend")(mend_in_steps)
    else:
        skills["mend"] = project.skill(effect="idempotent")(mend)
    if "inquire as a function" in edits:
        skills["inquire"] = project.skill(name="inquire", effect="read")(look_into_it)
    for name, genie in (("mend", "mender"), ("inquire", "inquirer")):
        if f"no {name} genie" not in edits:
            clerk(project, *([skills[name]] if f"no {name}" not in edits else []), name=genie)
    recipes = {fn.__name__: fn for fn in (order, side_by_side, each, repair, inquiry, ending)}
    recipes["greeting"] = greeting_by_title if "a renamed parameter" in edits else greeting
    for name, fn in recipes.items():
        if "a deleted recipe" not in edits or name != "order":
            project.recipe(name=name)(fn)


async def rehearsed(project: Project, home: Path) -> dict[str, Rehearsed]:
    return {each.job_id: each async for each in rehearse_all(project, place_at(home))}


@asynccontextmanager
async def opened_once(project: Project, home: Path) -> AsyncIterator[App]:
    """Open until the job stands where it is edited: what dies there is not taken up again here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(execution, "_BACKOFF", NEVER)
        async with opened(project, home) as app:
            with armed("skill.before_effect", once(lambda: die(app))):
                yield app


async def begin(app: App, recipe: str, **input: str) -> str:
    job_id = await app.start_named(recipe, input, kind="test")
    if recipe == "repair":  # the skill was about to act when the process died
        await eventually(lambda: "died" in happened)
    elif recipe == "each":
        for position in range(2):
            await park(app, f"{job_id}.1.{position}")
        await park(app, job_id)
    elif recipe == "inquiry":
        await eventually(lambda: has_waits(app))
        ((child,),) = await rows(app, "select id from jobs where parent_id is not null")
        await park(app, child)
        await park(app, job_id)
    else:
        await park(app, job_id)
    return job_id


async def has_waits(app: App) -> bool:
    return bool(await rows(app, "select 1 from waits where kind = 'event'"))


async def wake(app: App) -> None:
    """Answer all that is waited for."""
    of = schema.waits.c
    events = sa.select(of.topic, of.subject).where(of.topic.is_not(None))
    for topic, subject in await rows(app, events):
        value = 1 if "integer" in str(subject) else "x"
        job_id, _, name = topic.rpartition(":")
        await app.send_event(job_id, name, value)


DIFFERENT = [
    ("order", "an inserted call", 1, "was begun as `step fetch`"),
    ("order", "a renamed step", 1, "is `step look_up` now"),
    ("order", "another type of a recorded result", 1, "does not fit its type any more"),
    ("order", "a removed call", 2, "without the calls that were begun: wait_for go"),
    ("order", "a deleted recipe", None, 'no recipe "order" any more'),
    ("greeting", "a renamed parameter", None, "does not take the input that was recorded"),
    ("side_by_side", "a reordered branch", 1, "was begun as `wait_for a`"),
    ("side_by_side", "a removed branch", 2, "without the calls that were begun: wait_for b"),
    ("each", "another length of a map", 1, "with another number of items"),
    ("repair", "another type of an open task", 1, "another output type"),
    ("repair", "no mend", 1, 'an open call of skill "mend"'),
    ("repair", "mend as a recipe", 1, 'an open call of skill "mend"'),
    ("repair", "no mend genie", 1, 'has no genie "mender"'),
    ("inquiry", "other instructions of an open task", 1, "with other instructions"),
    ("inquiry", "no inquire", 1, 'an open call of skill "inquire"'),
    ("inquiry", "inquire as a function", 1, 'an open call of skill "inquire"'),
    ("inquiry", "no inquire genie", 1, 'has no genie "inquirer"'),
    ("ending", "a recipe that raises", 1, "raised KeyError"),
]


@pytest.mark.parametrize(
    ("recipe", "edit", "call", "why"), DIFFERENT, ids=[each[1] for each in DIFFERENT]
)
async def test_an_edit_that_stops_the_job_is_found_with_the_first_call_that_differs(
    project: Project, home: Path, recipe: str, edit: str, call: int | None, why: str
) -> None:
    define(project)
    async with opened_once(project, home) as app:
        job_id = await begin(app, recipe, **({"name": "ada"} if recipe == "greeting" else {}))
    edits.add(edit)
    define(project)

    found = (await rehearsed(project, home))[job_id]

    assert (found.goes_on, found.call) == (False, call), found
    assert why in (found.why or "")
    assert happened in ([], ["died"])
    # The same, when it happens.
    async with opened(project, home) as app:
        await wake(app)
        await status(app, job_id, "needs_attention")
        assert happened in ([], ["died"])
        assert await rows(app, "select id from jobs where id = ''") == []


def die(app: App) -> None:
    happened.append("died")
    dying(app)()


@pytest.mark.parametrize("edit", ["new code behind the waiting call", "a comment"])
@pytest.mark.parametrize("recipe", ["order", "side_by_side", "each", "repair", "inquiry"])
async def test_an_edit_that_makes_no_difference_is_not_reported(
    project: Project, home: Path, recipe: str, edit: str
) -> None:
    """The hash of the sources is another one each time."""
    define(project)
    async with opened_once(project, home) as app:
        job_id = await begin(app, recipe)
    edits.add(edit)
    define(project)
    project.__dict__["version"] = "another"

    found = await rehearsed(project, home)

    assert [each.goes_on for each in found.values()] == [True] * len(found)
    assert found[job_id].version != project.version
    assert happened in ([], ["died"])
    async with opened(project, home) as app:
        await wake(app)
        await result(app, job_id)


async def test_what_was_registered_for_the_end_must_be_there(
    project: Project, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(project)
    async with opened(project, home) as app:
        job_id = await begin(app, "ending")
    assert (await rehearsed(project, home))[job_id].goes_on
    monkeypatch.delattr(sys.modules[__name__], "tidy")
    edits.add("nothing after the end")
    define(project)
    found = (await rehearsed(project, home))[job_id]
    assert (found.goes_on, "after its end is gone" in (found.why or "")) == (False, True)


async def test_a_job_of_which_nothing_has_begun_needs_its_recipe_and_no_more(
    project: Project, home: Path
) -> None:
    define(project)
    store = Store(place_at(home))
    try:
        job_id = await Door(project, store).start_named("order", {}, kind="test")
    finally:
        store.close()
    edits.update(["an inserted call", "a start that is heard"])
    define(project)
    assert (await rehearsed(project, home))[job_id].goes_on
    assert happened == []
    edits.add("a deleted recipe")
    define(project)
    assert not (await rehearsed(project, home))[job_id].goes_on


async def test_a_skill_that_is_no_longer_offered_is_noted(project: Project, home: Path) -> None:
    @project.skill(effect="read")
    def peek() -> str:
        """Peek."""
        raise NotImplementedError

    @project.skill()
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie = clerk(project, ask)
    object.__setattr__(genie, "skills", (*genie.skills, peek))

    @project.recipe()
    async def review(job: Job) -> str:
        return (await job.assign_task(genie, "Ask.")).response

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
    object.__setattr__(genie, "skills", genie.skills[:1])
    found = (await rehearsed(project, home))[job_id]
    assert found.goes_on
    assert [note.rpartition(": ")[2] for note in found.notes] == ["its genie no longer has peek"]


async def test_a_large_result_that_was_recorded_after_the_copy_was_made_is_no_difference(
    project: Project, home: Path
) -> None:
    """The engine's file is copied after ours: it may name a value that ours does not hold yet."""

    @project.recipe()
    async def order(job: Job) -> str:
        try:
            await job.step(fetch_much)
        except Exception:
            await job.step(pay)
        await job.step(look_up)
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(order)).job_id
        await park(app, job_id)
        # As if ours had been copied before the first call was recorded, and the engine's now.
        for table in ("blobs", "calls", "waits"):
            await sql(app, f"delete from {table}")
    assert (await rehearsed(project, home))[job_id].goes_on


def fetch_much() -> str:
    return "much " * 100_000


async def test_a_skill_that_needs_a_user_now_stops_an_open_task(
    project: Project, home: Path
) -> None:
    @project.skill()
    def ask() -> str:
        """Ask."""
        raise ValueError("who knows")

    genie = clerk(project, ask)

    @project.recipe()
    async def review(job: Job) -> str:
        return (await job.assign_task(genie, "Ask.")).response

    async with opened(project, home) as app:
        job_id = (await app.start(review)).job_id
        await park(app, job_id)
    object.__setattr__(ask, "confirm", True)
    found = (await rehearsed(project, home))[job_id]
    assert not found.goes_on
    assert found.call == 1
    assert found.why is not None
    assert 'skill "ask" needs the confirmation of its user' in found.why


async def test_a_recipe_that_never_comes_to_where_its_job_stands_is_given_up(
    project: Project, home: Path
) -> None:
    slow = False

    @project.recipe()
    async def order(job: Job) -> str:
        if slow:
            await asyncio.Event().wait()
        return await job.wait_for("go", str)

    async with opened(project, home) as app:
        job_id = (await app.start(order)).job_id
        await park(app, job_id)
        assert (await row(app, job_id)).want == "parked"
    slow = True
    [found] = [each async for each in rehearse_all(project, place_at(home), patience=0.05)]
    assert (found.goes_on, "within 0.05 s" in (found.why or "")) == (False, True)
