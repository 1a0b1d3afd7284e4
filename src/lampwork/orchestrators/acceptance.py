"""Whether an answer to a subtask is accepted: by its files, by checks in code, by the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lampwork.errors import InputInvalid, LampworkError, ModelError, StepFailed, TakenOver
from lampwork.orchestrators.check import JUDGING, CheckCall, Verdict
from lampwork.store import blobs
from lampwork.tasks.assignment import Assignment

if TYPE_CHECKING:
    from lampwork.genies.budget import Budget
    from lampwork.genies.genie import Genie
    from lampwork.orchestrators.assigning import Assigning
    from lampwork.runs.gather import JobCall
    from lampwork.tasks.answer import TaskAnswer
    from lampwork.types import Json

__all__ = ["NOT_JUDGED", "Acceptance"]

NOT_JUDGED = "not judged"
"""What a lane writes down where the judge could not judge."""

_FILES = "files that others need"
"""The check that an answer comes with what the plan gives to other subtasks."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What an answer to one subtask must pass, one after the other."""

    assigning: Assigning
    needed: frozenset[str]
    """The names of files that it is to produce, because other subtasks are given them."""

    async def reasons_against(self, answer: TaskAnswer[Any]) -> list[str]:
        """Why an answer is not accepted; nothing if it is. Raises Ordered."""
        job, subtask = self.assigning.job, self.assigning.subtask
        if self.needed:
            lacking = sorted(self.needed - {each.name for each in answer.artifacts})
            if found := await job.options(name=_FILES).step(_lacking, lacking):
                return found
        looked_at = self._looked_at(answer)
        for name in subtask.checks:
            check = self.assigning.by.checks[name]
            try:
                found = await job.options(name=name).step(check.problems, answer, looked_at)
            except StepFailed as error:
                found = [f'check "{name}" could not judge it: {error.message}']
            if found:
                return found
        return [] if subtask.rubric is None else await self._reasons_of_judge(answer)

    def _looked_at(self, answer: TaskAnswer[Any]) -> CheckCall:
        given, store = self.assigning.given, self.assigning.flow.store

        async def content(digest: str) -> bytes:
            return await store.read(blobs.get, digest)

        files = {each.name: each for each in (*given.files, *answer.artifacts)}
        return CheckCall(self.assigning.subtask, given.data, files, content)

    async def _reasons_of_judge(self, answer: TaskAnswer[Any]) -> list[str]:
        try:
            call = await self._judging(answer)
        except (InputInvalid, ModelError) as error:
            return [await self._not_judged(str(error))]
        if call is None:
            return [await self._not_judged("")]
        try:
            said = (await call).output
        except LampworkError as error:
            if isinstance(error, TakenOver):
                await self.assigning.look(anew=True)
            return [f"the judge could not judge it: {error.message}"]
        return [] if said.accepted else said.reasons or ["the judge did not accept it"]

    async def _not_judged(self, why: str) -> str:
        return await self.assigning.note(NOT_JUDGED, str, f"nobody could judge it: {why}")

    async def _judging(self, answer: TaskAnswer[Any]) -> JobCall[TaskAnswer[Any]] | None:
        """The call that has an answer judged; None if it is on record that it could not be.

        Raises InputInvalid, ModelError.
        """
        recorded = self.assigning.flow.on_record()
        if recorded == ("value", NOT_JUDGED):
            return None
        judge = cast("Genie", self.assigning.by.judge)
        budget = await self.assigning.budget(judge, begun=recorded is not None)
        return self.assigning.call(self._assignment(judge, answer, budget))

    def _assignment(
        self, judge: Genie, answer: TaskAnswer[Any], budget: Budget | None
    ) -> Assignment:
        data: Json = {
            "rubric": self.assigning.subtask.rubric,
            "asked for": self.assigning.subtask.brief,
            "answer": answer.output,
        }
        return Assignment(
            judge,
            JUDGING,
            data=self.assigning.hidden(data),
            output=Verdict,
            files=answer.artifacts[:10],
            budget=budget,
            guarded=self.assigning.guarded,
        )


async def _lacking(files: list[str]) -> list[str]:
    return [f"there is no file {name}, which is needed further on" for name in files]
