"""What people have done about subtasks that need each other: one is retried, the other goes on."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.orchestration.conftest import Open
from tests.orchestration.desk import orchestration, stands
from tests.orchestration.team import agent, lead, subtask
from tests.support import armed, dying, eventually, inside, once, result, rows

from lampwork import Answer, App, CannotComplete, Genie, Project, Turn


class Held:
    """A project with agents that answer when they are told, and one that can't."""

    def __init__(self, *plan: dict[str, Any]) -> None:
        self.project = Project("desk")
        self.told: dict[str, asyncio.Event] = {}
        self.asked: list[str] = []
        team = [self._agent(name) for name in ("first", "second", "third")]
        team += [agent(self.project, "unable", lambda _: CannotComplete("no data"))]
        team += [agent(self.project, "able")]
        team += [agent(self.project, "reader", lambda turn: Answer(f"{turn.data}"))]
        lead(self.project, team, plan)

    def _agent(self, name: str) -> Genie:
        async def holding(turn: Turn) -> Answer:
            self.asked.append(f"{name}: {turn.instructions}")
            await self.told.setdefault(name, asyncio.Event()).wait()
            return Answer(name)

        return agent(self.project, name, holding)

    async def tell(self, name: str) -> None:
        """Let one answer; on the loop on which it waits."""
        self.told[name].set()

    async def has_asked(self, what: str) -> None:
        await eventually(lambda: what in self.asked, f"{what} was not asked")


async def test_a_round_takes_orders_while_what_has_got_its_source_goes_on(opened: Open) -> None:
    """Also if that source was the last at work."""
    desk = Held(
        subtask("a", "unable"),
        subtask("b", "third", depends_on=["a"]),
        subtask("c", "second"),
        subtask("d", "unable"),
    )
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.", allow_partial=True)
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "failed")
        await app.reassign_subtask(of, "a", "first", by="ann")
        await desk.has_asked("first: do a")
        await inside(app, desk.tell("second"))
        await stands(app, of, "c", "succeeded")
        await inside(app, desk.tell("first"))
        await desk.has_asked("third: do b")
        await app.reassign_subtask(of, "b", "able", by="ann")
        answer = await result(app, job)

    assert answer["response"] == "a succeeded, b succeeded, c succeeded, d failed"
    assert [each["agent"] for each in answer["sections"]] == ["first", "able", "second"]


async def test_who_is_to_do_a_subtask_does_it_when_what_it_needs_has_got_there(
    opened: Open,
) -> None:
    desk = Held(
        subtask("a", "unable"), subtask("b", "third", depends_on=["a"]), subtask("c", "second")
    )
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "failed")
        await app.reassign_subtask(of, "b", "able", by="ann")
        await app.reassign_subtask(of, "a", "able", by="ann")
        await stands(app, of, "b", "succeeded")
        await inside(app, desk.tell("second"))
        answer = await result(app, job)

    assert [each["agent"] for each in answer["sections"]] == ["able", "able", "second"]
    assert desk.asked == ["second: do c"]


async def test_what_is_mended_before_a_subtask_begins_is_what_it_is_given(opened: Open) -> None:
    desk = Held(
        subtask("a", "unable", required=False),
        subtask("b", "reader", inputs=[{"name": "a", "subtask": "a"}], depends_on=["c"]),
        subtask("c", "second"),
    )
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "failed")
        await app.reassign_subtask(of, "a", "able", by="ann")
        await stands(app, of, "a", "succeeded")
        await desk.has_asked("second: do c")
        await inside(app, desk.tell("second"))
        answer = await result(app, job)

    assert [each["output"] for each in answer["sections"]] == [
        "able: do a",
        "{'a': 'able: do a'}",
        "second",
    ]


async def test_a_later_run_gives_it_to_the_same_agent_as_the_one_before(opened: Open) -> None:
    """It was ordered while what it needs was done anew."""
    desk = Held(
        subtask("a", "unable"), subtask("b", "able", depends_on=["a"]), subtask("c", "second")
    )
    async with opened(desk.project) as app:
        job = await app.assign("lead", "Do it.")
        of = (await orchestration(app, job)).orchestration_id
        await stands(app, of, "a", "failed")
        await app.reassign_subtask(of, "a", "first", by="ann")
        await desk.has_asked("first: do a")
        await app.reassign_subtask(of, "b", "third", by="ann")
        noted = "select count(*) from calls where name = 'by hand'"
        await eventually(lambda: has_rows(app, noted, (2,)))
        await inside(app, desk.tell("first"))
        await desk.has_asked("third: do b")
    desk.told.clear()  # an event is of its loop
    desk.asked.clear()
    async with opened(desk.project) as app:
        for name, what in (("third", "b"), ("second", "c")):
            await desk.has_asked(f"{name}: do {what}")
            await inside(app, desk.tell(name))
        answer = await result(app, job)

    assert [each["agent"] for each in answer["sections"]] == ["first", "third", "second"]


async def has_rows(app: App, query: str, *found: tuple[int, ...]) -> bool:
    return await rows(app, query) == [*found]


async def test_a_run_that_dies_at_the_end_of_its_round_comes_to_the_same_end_again(
    opened: Open,
) -> None:
    """The next one hears at once that the round takes no more orders."""
    desk = Held(
        subtask("a", "unable"),
        subtask("b", "able", depends_on=["a"]),
        subtask("c", "unable"),
        subtask("d", "second"),
    )
    async with opened(desk.project, sweep_interval=0.1) as app:
        job = await app.assign("lead", "Do it.", allow_partial=True)
        found = await orchestration(app, job)
        of, round = found.orchestration_id, found.rounds[0].job_id
        await stands(app, of, "a", "failed")
        await app.reassign_subtask(of, "a", "able", by="ann")
        await stands(app, of, "b", "succeeded")
        with armed("job.before_outcome", once(dying(app, round))):
            await inside(app, desk.tell("second"))
            answer = await result(app, job)

    assert answer["response"] == "a succeeded, b succeeded, c failed, d succeeded"
