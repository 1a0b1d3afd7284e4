"""Artifacts: files that skills save. The answer lists them, and another task may be given them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.support import armed, dying, eventually, once, refused, rows, take_over
from tests.support import opened as opened_in

from lampwork import (
    Answer,
    App,
    Artifact,
    Call,
    Calls,
    File,
    Job,
    Project,
    SkillCall,
    StillUnknown,
    TaskAnswer,
    Turn,
    playbook,
)
from lampwork.errors import ArtifactNotFound, StoreUnavailable
from lampwork.store.blobs import digest_of
from lampwork.store.tasks import artifacts

from .conftest import Open

CHART = b"region,sales\nnorth,7\n"


@pytest.fixture
def project() -> Project:
    return Project("artifacts")


def assign(project: Project, *skills: Any) -> Any:
    """A genie that calls each of its skills once, side by side."""

    @playbook
    def call_all(turn: Turn) -> Calls | Answer:
        if turn.results or not skills:
            return Answer("; ".join(str(each.value or each.error) for each in turn.results))
        return Calls(*[Call(each) for each in skills])

    return project.genie("clerk", model=call_all, job_description="You draw.", skills=skills)


async def test_plain_and_async_skills_save_files(opened: Open, project: Project) -> None:
    @project.skill(effect="idempotent")
    def plain(call: SkillCall) -> str:
        """Draw."""
        saved = call.save_artifact("chart.csv", CHART, "text/csv")
        return f"{saved.name} {saved.size}"

    @project.skill(effect="idempotent")
    async def asynchronous(call: SkillCall) -> Artifact:
        """Draw."""
        return await call.save_artifact("other.csv", CHART, "text/csv")

    @project.skill(effect="idempotent")
    async def hasty(call: SkillCall) -> None:
        """Draw, and do not wait for the disk."""
        call.save_artifact("a.txt", b"a", "text/plain")
        call.save_artifact("b.txt", b"b", "text/plain")

    genie = assign(project, plain, asynchronous, hasty)
    async with opened(project) as app:
        answer: TaskAnswer[str] = await app.assign_task(genie, "Draw.")
        contents = [await app.read_artifact(artifact) for artifact in answer.artifacts]

    assert answer.artifacts == (
        Artifact("chart.csv", "text/csv", digest_of(CHART), len(CHART)),
        Artifact("other.csv", "text/csv", digest_of(CHART), len(CHART)),
        Artifact("a.txt", "text/plain", digest_of(b"a"), 1),
        Artifact("b.txt", "text/plain", digest_of(b"b"), 1),
    )
    assert contents == [CHART, CHART, b"a", b"b"]
    assert [action.artifacts for action in answer.actions] == [
        ("chart.csv",),
        ("other.csv",),
        ("a.txt", "b.txt"),
    ]
    assert "chart.csv 21" in answer.output
    assert "{'name': 'other.csv', 'media_type': 'text/csv'" in answer.output


async def test_a_file_is_on_disk_when_a_plain_skill_goes_on(opened: Open, project: Project) -> None:
    found: list[Any] = []

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> None:
        """Draw."""
        call.save_artifact("chart.csv", CHART, "text/csv")
        read = app.store.read(lambda db: db.exec_driver_sql("select name from artifacts").all())
        found.extend(asyncio.run(read))

    genie = assign(project, draw)
    async with opened(project) as app:
        await app.assign_task(genie, "Draw.")
    assert found == [("chart.csv",)]


async def test_a_recipe_reads_an_artifact_and_gives_it_to_another_task(
    opened: Open, project: Project
) -> None:
    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> None:
        """Draw."""
        call.save_artifact("chart.csv", CHART, "text/csv")

    @playbook
    def reader(turn: Turn) -> Answer:
        return Answer(f"{turn.files[0].name}: {turn.files[0].text}")

    clerk = assign(project, draw)
    critic = project.genie("critic", model=reader, job_description="You judge.")

    @project.recipe()
    async def review(job: Job) -> str:
        drawn = await job.assign_task(clerk, "Draw.")
        content = await job.read_artifact(drawn.artifacts[0])
        judged = await job.assign_task(critic, "Judge.", files=drawn.artifacts)
        await job.wait_for("go")
        assert await job.read_artifact(drawn.artifacts[0]) == content
        return judged.output

    async with opened(project, park_after=0.0) as app:
        job = await app.start(review)
        await app.send_event(job.job_id, "go")
        assert await app.result(job.job_id) == f"chart.csv: {CHART.decode()}"


async def test_artifacts_belong_to_their_project(opened: Open, project: Project) -> None:
    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> None:
        """Draw."""
        call.save_artifact("chart.csv", CHART, "text/csv")

    async with opened(project) as app:
        answer = await app.assign_task(assign(project, draw), "Draw.")
    other = Project("other")
    genie = assign(other)
    async with opened(other) as app:
        for artifact in (*answer.artifacts, Artifact("x", "text/csv", "0" * 64, 1)):
            with pytest.raises(ArtifactNotFound, match='Project "other" has no artifact'):
                await app.read_artifact(artifact)
            with pytest.raises(ArtifactNotFound):
                await app.assign(genie, "Read.", files=[artifact])
        # What one has the content of, one may give.
        await app.assign(genie, "Read.", files=[File("chart.csv", CHART)])


BAD = [
    (("a/b.csv", CHART, "text/csv"), "a name is no path"),
    (("", CHART, "text/csv"), "a name is not empty"),
    ((7, CHART, "text/csv"), "can't be saved"),
    (("a.csv", b"", "text/csv"), "is empty"),
    (("a.csv", "text", "text/csv"), "its content is str. Pass bytes"),
    (("a.csv", CHART, "csv"), '"csv" is no media type'),
    (("a.csv", CHART, None), '"None" is no media type'),
]


@pytest.mark.parametrize(("given", "why"), BAD)
async def test_the_author_of_a_skill_is_told_what_cannot_be_saved(
    given: Any, why: str, opened: Open, project: Project
) -> None:
    @project.skill(effect="read")
    async def draw(call: SkillCall) -> None:
        """Draw."""
        await call.save_artifact(*given)

    async with opened(project) as app:
        answer = await app.assign_task(assign(project, draw), "Draw.")

    [action] = answer.actions
    assert action.status == "error"
    assert "ArtifactInvalid" in (action.error or "")
    assert why in (action.error or "")
    assert answer.artifacts == ()


async def test_an_artifact_too_large_is_refused(
    opened: Open, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lampwork.files.artifact.LARGEST", 20)

    @project.skill(effect="read")
    def draw(call: SkillCall) -> None:
        """Draw."""
        call.save_artifact("chart.csv", CHART, "text/csv")

    async with opened(project) as app:
        answer = await app.assign_task(assign(project, draw), "Draw.")
    assert "has 21 bytes, and 20 is the most" in (answer.actions[0].error or "")


def test_in_a_unit_test_of_a_skill_nothing_is_saved() -> None:
    saved = SkillCall("key", "t1", "c1").save_artifact("chart.csv", CHART, "text/csv")

    assert (saved.name, saved.size) == ("chart.csv", 21)


async def test_in_a_unit_test_of_an_async_skill_it_can_be_awaited() -> None:
    saved = await SkillCall("key", "t1", "c1").save_artifact("chart.csv", CHART, "text/csv")

    assert saved == Artifact("chart.csv", "text/csv", digest_of(CHART), 21)


# --- crashes, retries, time-outs ---


async def test_a_repeated_call_replaces_what_it_had_saved(tmp_path, project: Project) -> None:
    """The run dies after the skill has saved, before its result is written down."""
    versions = iter([b"first", b"second"])

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> None:
        """Draw."""
        call.save_artifact("chart.csv", next(versions), "text/csv")

    genie = assign(project, draw)
    async with opened_in(project, tmp_path, sweep_interval=0.05) as app:
        with armed("skill.after_effect", once(dying(app))):
            answer = await app.assign_task(genie, "Draw.")
        assert [await app.read_artifact(each) for each in answer.artifacts] == [b"second"]
        assert await rows(app, "select name, size from artifacts") == [("chart.csv", 6)]
        owners = await rows(app, "select digest from blob_owners where owner like '%chart.csv'")
        assert owners == [(digest_of(b"second"),)]


async def test_what_an_earlier_run_saved_is_named_by_the_result_of_the_later(
    tmp_path, project: Project
) -> None:
    @project.skill(effect="at_most_once")
    def draw(call: SkillCall) -> str:
        """Draw."""
        call.save_artifact("chart.csv", CHART, "text/csv")
        return "never heard"

    @draw.reconcile
    def found(call: SkillCall) -> StillUnknown:
        return StillUnknown("ask a person")

    genie = assign(project, draw)
    async with opened_in(project, tmp_path, sweep_interval=0.05) as app:
        with armed("skill.after_effect", once(dying(app))):
            job = await app.assign(genie, "Draw.")
            [[wait]] = await eventually(
                lambda: rows(app, "select id from waits where kind = 'resolution'")
            )
        await app.resolve(wait, "happened", result="drawn", by="ann")
        record = await app.result(job.job_id)
    assert [each["name"] for each in record["artifacts"]] == ["chart.csv"]
    assert record["actions"][0]["artifacts"] == ["chart.csv"]


async def test_a_run_that_lost_its_job_saves_nothing(tmp_path, project: Project) -> None:
    entered, go_on = threading.Event(), threading.Event()
    outcomes: list[str] = []
    versions = iter([b"of the zombie", b"of the owner"])

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> None:
        """Draw."""
        content = next(versions)
        if content == b"of the zombie":
            entered.set()
            assert go_on.wait(60)
        try:
            call.save_artifact("chart.csv", content, "text/csv")
            outcomes.append(content.decode())
        except BaseException as error:
            outcomes.append(type(error).__name__)
            raise

    genie = assign(project, draw)
    async with opened_in(project, tmp_path) as app:
        job = await app.assign(genie, "Draw.")
        await eventually(entered.is_set)
        await take_over(app, job.job_id)
        record = await asyncio.wait_for(app.result(job.job_id), 60)
        go_on.set()
        await eventually(lambda: len(outcomes) == 2)
        [artifact] = [Artifact(**each) for each in record["artifacts"]]
        assert await app.read_artifact(artifact) == b"of the owner"
        assert outcomes == ["of the owner", "RunEnded"]
        assert await rows(app, "select size from artifacts") == [(12,)]


def let_pass(app: App, seconds: float) -> None:
    """Let the timers of the jobs' loop go off, which are steady: no stopped clock moves them."""
    loop = app._loop.loop
    app._loop.call_soon(setattr, loop, "time", lambda: time.monotonic() + seconds)


@pytest.fixture
def late() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_a_call_that_was_stopped_saves_nothing_more(
    opened: Open, project: Project, late: threading.Event
) -> None:
    told: list[Exception] = []
    saved = threading.Event()

    @project.skill(effect="read", timeout=600)
    def draw(call: SkillCall) -> None:
        """Draw, too slowly."""
        call.save_artifact("first.csv", CHART, "text/csv")
        saved.set()
        late.wait(60)
        try:
            call.save_artifact("second.csv", CHART, "text/csv")
        except Exception as error:
            told.append(error)

    async with opened(project) as app:
        job = await app.assign(assign(project, draw), "Draw.")
        await eventually(saved.is_set)
        let_pass(app, 600)
        record = await app.result(job.job_id)
        late.set()
        await eventually(lambda: told)

    assert [each["name"] for each in record["artifacts"]] == ["first.csv"]
    assert "the skill call has ended" in str(told[0])


async def test_a_save_that_the_database_refuses_is_no_outcome_of_the_skill(
    tmp_path, project: Project
) -> None:
    """The call is made again when the database is there, with the same key."""
    keys: list[str] = []

    @project.skill(effect="idempotent")
    async def draw(call: SkillCall) -> str:
        """Draw."""
        keys.append(call.idempotency_key)
        if len(keys) == 1:
            with refused(artifacts, "save"), suppress(StoreUnavailable):
                await call.save_artifact("chart.csv", CHART, "text/csv")
        else:
            call.save_artifact("chart.csv", CHART, "text/csv")
        return "drawn"

    genie = assign(project, draw)
    async with opened_in(project, tmp_path) as app:
        answer = await asyncio.wait_for(app.assign_task(genie, "Draw."), 60)
        assert [action.status for action in answer.actions] == ["ok"]
        assert await app.read_artifact(answer.artifacts[0]) == CHART
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_saving_beside_other_work_of_the_loop(tmp_path, project: Project) -> None:
    """A thread that an async skill started waits for its file; the loop goes on meanwhile."""

    @project.skill(effect="idempotent")
    async def draw(call: SkillCall) -> str:
        """Draw."""
        saved = await asyncio.to_thread(call.save_artifact, "chart.csv", CHART, "text/csv")
        return saved.digest[:4]

    async with opened_in(project, tmp_path) as app:
        answer = await app.assign_task(assign(project, draw), "Draw.")
        assert len(answer.artifacts) == 1
