"""Recorded conversations as players: a genie does again what it did, where it is asked the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from lampwork import values
from lampwork.app import App
from lampwork.errors import InputInvalid, NotDone, RecordingDiffers
from lampwork.genies.contract import SkillCall
from lampwork.genies.genie import Genie
from lampwork.genies.skill import Skill
from lampwork.insights import Insights
from lampwork.insights.recording import VERSION
from lampwork.models import Ask, Playbook, Reply, Result, Turn
from lampwork.models.playbook import Decision, reply_of
from lampwork.testing.shape import differences
from lampwork.types import Json

__all__ = ["Recording", "record", "recorded"]

Skills = Literal["live", "recorded"]


async def record(app: App, conversation_id: str, file: str | Path) -> None:
    """Write a conversation into a file, for `recorded`.

    `lampwork conversation ID recording --to FILE` does the same. Raises ConversationNotFound,
    InputInvalid.
    """
    found = await Insights(app.store).recording(conversation_id)
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    Path(file).write_text(text, "utf-8")  # noqa: ASYNC240


def recorded(file: str | Path, *, skills: Skills = "live") -> Recording:
    """A player that does what the genie of a recorded conversation did, turn by turn.

    >>> testing.opened(project, models={"cashier": testing.recorded("refund.json")})

    At each turn the request must be as it was: the same skills offered, and results of the same
    shape; else the task fails with RecordingDiffers. A recording of several tasks plays the one of
    the same instructions. With `skills="recorded"` the genie's skills do nothing and return what
    they returned then. Raises InputInvalid for a file that is no recording.
    """
    path = Path(file)
    try:
        found: Any = json.loads(path.read_text("utf-8"))
        version = found["lampwork_recording"]
        tasks: Any = found["tasks"] if version == VERSION else ()
    except OSError as error:
        raise InputInvalid(f"The recording {path} can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputInvalid(
            f"{path} is no recording. Make one: lampwork conversation ID recording --to {path}"
        ) from error
    if version != VERSION:
        raise InputInvalid(
            f"{path} has format {version}, and this Lampwork reads {VERSION}. Record it again."
        )
    return Recording(_play, str(path), tuple(tasks), skills)


def _play(_turn: Turn) -> Decision:
    raise AssertionError("a recording has no function")


@dataclass(frozen=True, eq=False)
class Recording(Playbook):
    """A recorded conversation that plays a genie."""

    file: str = ""
    tasks: tuple[dict[str, Json], ...] = field(default=(), repr=False)
    skills: Skills = "live"

    @property
    def name(self) -> str:
        """`recorded:<file>`."""
        return f"recorded:{Path(self.file).name}"

    async def respond(self, ask: Ask) -> Reply:
        """What was said at this turn. Raises RecordingDiffers."""
        task = self._task(ask.turn)
        turns: list[dict[str, Json]] = task["turns"]
        if problems := list(_problems(task, ask.turn)):
            raise self._differs(ask.turn, problems)
        turn = turns[ask.turn.number - 1]
        asked = [(call["name"], call["arguments"]) for call in turn["calls"]]
        return reply_of(self.name, ask, turn["text"], asked)

    def stubs(self, genie: Genie) -> Sequence[Skill[..., Any]]:
        """The skills of a genie, which do nothing if this plays them too."""
        if self.skills == "live":
            return genie.skills
        results = [
            result for task in self.tasks for turn in task["turns"] for result in turn["results"]
        ]
        return [_Stub.of(skill, self.file, results) for skill in genie.skills]

    def _task(self, turn: Turn) -> dict[str, Json]:
        if len(self.tasks) == 1:
            return self.tasks[0]
        for task in self.tasks:
            if task["instructions"] == turn.instructions:
                return task
        told = ", ".join(repr(task["instructions"]) for task in self.tasks)
        raise self._differs(turn, [f"no task has these instructions; there are {told}"])

    def _differs(self, turn: Turn, problems: Sequence[str]) -> RecordingDiffers:
        return RecordingDiffers(
            f"Turn {turn.number} of {turn.instructions!r} is not as in {self.file}: "
            f"{'; '.join(problems)}. Mend what has changed, or record the conversation again.",
            turn=turn.number,
            problems=list(problems),
        )


def _problems(task: dict[str, Json], turn: Turn) -> Iterator[str]:
    """What is not as it was when this turn was recorded."""
    turns: list[dict[str, Json]] = task["turns"]
    if turn.number > len(turns):
        yield f"the recording has {len(turns)} turns"
        return
    offered = set(task["skills"])
    if missing := sorted(offered - set(turn.skills)):
        yield f"it was offered {', '.join(missing)}, and is not now"
    if new := sorted(set(turn.skills) - offered):
        yield f"it is offered {', '.join(new)}, and was not then"
    then = [each for said in turns[: turn.number - 1] for each in said["results"]]
    yield from _of_results(then, turn.results)


def _of_results(then: Iterable[dict[str, Json]], now: Iterable[Result]) -> Iterator[str]:
    """Calls side by side end in any order, so results are compared by what was called."""
    shown = [
        {"skill": each.skill, "arguments": each.arguments}
        | ({"value": each.value} if each.error is None else {"error": each.error})
        for each in now
    ]
    before, after = sorted(then, key=_called), sorted(shown, key=_called)
    if list(map(_called, before)) != list(map(_called, after)):
        yield f"it has results of {_list(after)}, and had of {_list(before)}"
        return
    for was, has in zip(before, after, strict=True):
        if "error" in was or "error" in has:
            if was.keys() != has.keys():
                yield f"{was['skill']} returned {_short(was)}, and now {_short(has)}"
            continue
        for each in differences(was["value"], has["value"]):
            yield f"the result of {was['skill']}: {each}"


def _called(result: dict[str, Json]) -> str:
    return f"{result['skill']} {json.dumps(result['arguments'], sort_keys=True)}"


def _list(results: Sequence[dict[str, Json]]) -> str:
    return ", ".join(_called(each) for each in results) or "nothing"


def _short(result: dict[str, Json]) -> str:
    return f"error {result['error']!r}" if "error" in result else f"{result['value']!r}"


class _Stub(Skill[..., Any]):
    """A skill that returns what it returned when it was recorded."""

    @classmethod
    def of(cls, skill: Skill[..., Any], file: str, results: Sequence[dict[str, Json]]) -> _Stub:
        given: dict[str, Any] = {each.name: getattr(skill, each.name) for each in fields(skill)}
        given |= {"recipe": None, "retry": None}
        stub = cls(**given)
        stub.__dict__["_recorded"] = (
            file,
            {_called(each): each for each in results if each["skill"] == skill.name},
        )
        return stub

    def bind(
        self, arguments: dict[str, Json], task_metadata: dict[str, Json], call: SkillCall
    ) -> dict[str, Any]:
        super().bind(arguments, task_metadata, call)
        return {"called": _called({"skill": self.name, "arguments": arguments})}

    async def act(self, bound: dict[str, Any]) -> Any:
        file, results = self.__dict__["_recorded"]
        found = results.get(bound["called"])
        if found is None:
            raise NotDone(f"{file} has no call of {bound['called']}")
        if "error" in found:
            raise NotDone(found["error"])
        text = json.dumps(found["value"])
        return values.decode(text, self.contract.returns, f"the recorded result of {self.name}")
