"""What is shown of requests is what was sent, also when the code has changed since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lampwork import Answer, Call, Metadata, Project, Recent, Summary, Turn
from lampwork.insights import Insights
from lampwork.insights.requests import _described, _shown
from lampwork.models import Playbook
from lampwork.models.ask import Ask, Reply
from lampwork.place import Folder
from lampwork.views import RequestView

asked: list[Ask] = []


class Recorded(Playbook):
    """A playbook that keeps what it was asked."""

    async def respond(self, ask: Ask) -> Reply:
        asked.append(replace(ask, messages=tuple(ask.messages)))
        return await super().respond(ask)


project = Project("requests")


@project.skill(effect="read")
def look(where: str, owner: Metadata[str]) -> dict[str, Any]:
    """Look there."""
    if where == "nowhere":
        raise LookupError("there is nothing")
    return {"seen": where}


@project.skill()
def withheld(other: Metadata[str]) -> str:
    """Never offered without its metadata."""
    return other


def script(turn: Turn) -> Any:
    if turn.number == 0:
        return Answer("They looked.")
    if turn.instructions in ("And now?", "Speak."):
        return Answer(7)
    if len(turn.results) < 2:
        return Call("look", where=["here", "nowhere"][len(turn.results)])
    return Answer("" if turn.number == 3 else "done")


genie = project.genie(
    "scout", model=Recorded(script), job_description="You look.", skills=[look, withheld]
)


def shown(ask: Ask) -> tuple[Any, ...]:
    return (
        ask.task_id,
        ask.job_description,
        tuple(map(_described, ask.skills)),
        tuple(map(_described, ask.endings)),
        tuple(map(_shown, ask.messages)),
    )


def told(view: RequestView) -> tuple[Any, ...]:
    return (view.task, view.job_description, view.skills, view.endings, view.messages)


async def requests(home: Path, conversation: str) -> tuple[RequestView, ...]:
    async with Insights.opened(Folder(home)) as insights:
        return await insights.requests(conversation)


async def test_each_request_is_shown_as_it_was_sent(tmp_path: Path) -> None:
    asked.clear()
    (tmp_path / "plan.txt").write_text("First <here>, then there.")
    metadata = {"owner": "ann@example.com"}
    async with project.open(tmp_path / "home") as app:
        first = await app.assign_task(
            genie, "Look.", data={"a": "<b>"}, files=[tmp_path / "plan.txt"], metadata=metadata
        )
        how: dict[str, Any] = {"conversation": first.conversation_id, "metadata": metadata}
        await app.assign_task(genie, "Again.", history=Recent(1), **how)
        await app.assign_task(genie, "Once more.", history=Summary(20), on_problem="Stop.", **how)
        await app.assign_task(genie, "And now?", output=int, **how | {"metadata": {}})

    found = await requests(tmp_path / "home", first.conversation_id)

    assert len(asked) > 12, "asked again, failed, continued and summed up"
    for view, ask in zip(found, asked, strict=True):
        assert told(view) == shown(ask)
    assert [view.carried for view in found[:4]] == [()] * 4
    assert found[-1].carried is None


async def test_what_the_code_said_then_is_shown_and_not_what_it_says_now(tmp_path: Path) -> None:
    later = Project("requests")
    changed = later.genie("scout", model=Recorded(script), job_description="You look twice.")
    async with project.open(tmp_path) as app:
        first = await app.assign_task(genie, "Look.", metadata={"owner": "ann"})
    async with later.open(tmp_path) as app:
        await app.assign_task(changed, "Speak.", conversation=first.conversation_id)

    found = await requests(tmp_path, first.conversation_id)

    told = {
        (view.job_description or "").partition("\n")[0]: [each.name for each in view.skills or ()]
        for view in found
    }
    assert told == {"You look.": ["look"], "You look twice.": []}


async def test_what_a_request_carried_is_said_with_it(tmp_path: Path) -> None:
    async with project.open(tmp_path) as app:
        answer = await app.assign_task(
            genie, "Look for ann@example.com.", metadata={"owner": "ann@example.com"}
        )

    views = await requests(tmp_path, answer.conversation_id)

    assert [[(hit.key, hit.source) for hit in view.carried or ()] for view in views] == [
        [("owner", "instructions")]
    ] * len(views)
