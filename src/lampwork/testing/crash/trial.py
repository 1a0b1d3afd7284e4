"""The runs of a crash test: each in a folder of its own, over as many processes as it takes."""

from __future__ import annotations

import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from lampwork.errors import CrashTestFailed
from lampwork.genies.effect import DidNotHappen, Happened
from lampwork.recipe import Recipe
from lampwork.testing.crash.boundary import Boundary
from lampwork.testing.crash.effect import Effect, Probe, Question, as_effects, new_since
from lampwork.testing.crash.journal import Journal
from lampwork.testing.crash.life import Order
from lampwork.testing.crash.nursery import Nursery
from lampwork.testing.crash.report import Crash
from lampwork.testing.crash.verdict import Lived, problems
from lampwork.types import Json

__all__ = ["Expected", "Resolve", "Trial"]

Resolve = Callable[[Question], Happened[Any] | DidNotHappen] | Literal["did_not_happen"]
"""What became of an effect of which nobody knows."""

Expected = Literal["succeeded", "failed"]
"""How the job ends when nothing is killed."""

_LIVES = 12
"""Lives after which a job that has not ended never will."""


@dataclass(slots=True)
class Trial:
    """The crash test of one recipe: its runs, undisturbed and killed."""

    recipe: Recipe[..., Any]
    input: Json
    effects: Probe | None
    reset: Callable[[], object]
    events: dict[str, Json]
    resolve: Resolve | None
    compare: Callable[[Any], Any]
    expect: Expected
    timeout: float
    say: Callable[[str], object]
    began: float = field(default_factory=time.time)
    _folder: Path = field(init=False)
    _nurseries: Sequence[Nursery] = field(init=False)
    """Of which the lives of a run take turns."""
    _undisturbed: Lived = field(init=False)
    _count: int = 0

    def settle_in(self, folder: Path, nurseries: Sequence[Nursery]) -> None:
        """Make a folder with all tables, of which each run gets a copy: they take half a second."""
        self._folder, self._nurseries = folder, nurseries
        nurseries[0].live(self._order(folder / "empty", folder / "journal", None, None, {}))

    # --- runs ---

    def record(self) -> Counter[str]:
        """The boundaries of a run in which nothing goes wrong, and how often it came to each.

        Raises CrashTestFailed if there is none, or if two of them differ.
        """
        self._undisturbed = self._run(None)
        if (problem := self._undisturbed.problem or self._other_than_expected()) is not None:
            raise CrashTestFailed(
                f"{self.recipe.name} can't be tested: when nothing is killed, {problem}.",
                boundaries=[],
            )
        found = list(problems(self._undisturbed, self._run(None, first=1), self.compare))
        if found:
            raise CrashTestFailed(
                f"{self.recipe.name} can't be tested: run twice, and never killed, it does not do "
                f"the same: {'; '.join(found)}. Let it depend on its input alone (job.now(), "
                "job.uuid(), reset=), or say what is the same with compare=.",
                boundaries=[],
            )
        hits = self._undisturbed.journal.hits
        self.say(f"Crash test of {self.recipe.name}: it comes to {hits.total()} boundaries.")
        return hits

    def _other_than_expected(self) -> str | None:
        end = self._undisturbed.journal.end
        assert end is not None
        match end["status"]:
            case status if status == self.expect:
                return None
            case "failed":
                return f'the job fails ({end["error"]}); if it is meant to, pass expect="failed"'
            case status:
                return f"the job ends as {status}, and expect={self.expect!r}"

    def crash(self, boundary: Boundary, place: str) -> Crash:
        """Kill it there, and let it go on."""
        started = time.monotonic()
        run = self._run(boundary)
        crash = Crash(
            boundary=boundary,
            reached=run.journal.killed,
            lives=run.lives,
            repeated=max(0, run.journal.repeats - self._undisturbed.journal.repeats),
            asked=tuple(run.asked),
            problems=tuple(problems(self._undisturbed, run, self.compare)),
            seconds=round(time.monotonic() - started, 2),
        )
        self.say(f"  {place}  {boundary}  {crash.words}  {crash.seconds} s")
        return crash

    def _run(self, kill: Boundary | None, *, first: int = 0) -> Lived:
        self._count += 1
        home = shutil.copytree(self._folder / "empty", self._folder / f"run {self._count}")
        file = home.with_suffix(".journal")
        self.reset()
        before = self._seen()
        run = Lived(Journal(), 0, [])
        resolutions: dict[str, dict[str, Json]] = {}
        while run.problem is None:
            nursery = self._nurseries[(first + run.lives) % len(self._nurseries)]
            run.lives += 1
            order = self._order(home, file, self.recipe.name, kill, resolutions)
            code = nursery.live(order)
            run.journal = Journal.read(file)
            match run.journal.end:
                case {"how": "ended"}:
                    break
                case {"how": "asks", "questions": questions}:
                    asked = [Question(**each) for each in questions]
                    resolutions |= self._resolutions(asked, run, before)
                case end:
                    if code != -signal.SIGKILL:
                        run.problem = self._why(code, end, nursery)
            if run.lives >= _LIVES:
                run.problem = f"the job had not ended after {run.lives} processes"
        run.effects = new_since(before, self._seen())
        shutil.rmtree(home, ignore_errors=True)
        return run

    def _order(
        self,
        home: Path,
        journal: Path,
        recipe: str | None,
        kill: Boundary | None,
        resolutions: dict[str, dict[str, Json]],
    ) -> Order:
        return Order(
            home=str(home),
            journal=str(journal),
            recipe=recipe,
            input=self.input,
            began=self.began,
            kill=None if kill is None else str(kill),
            events=self.events,
            resolutions=resolutions,
            timeout=self.timeout,
        )

    def _seen(self) -> list[Effect]:
        return [] if self.effects is None else as_effects(self.effects())

    def _why(self, code: int, end: Any, nursery: Nursery) -> str:
        match end:
            case {"how": "attention", "why": why}:
                return f"the job needs attention: {'; '.join(why)}"
            case {"how": "waits", "for": what}:
                return f"the job waits for what nobody does: {', '.join(what)}. Pass events="
            case {"how": "mistake", "why": why}:
                return why
            case _ if code == -signal.SIGALRM:
                return f"the job had not ended after {self.timeout:g} s"
            case _:
                return f"the process ended with {code}: {nursery.last_words()}"

    # --- unknown outcomes ---

    def _resolutions(
        self, asked: list[Question], run: Lived, before: list[Effect]
    ) -> dict[str, dict[str, Json]]:
        found: dict[str, dict[str, Json]] = {}
        for question in asked:
            run.asked.append(question.name)
            match self._resolved(question, before):
                case Happened(value):
                    result = to_jsonable_python(value)
                    found[question.wait_id] = {"resolution": "happened", "result": result}
                case DidNotHappen():
                    run.undone[question.key] += 1
                    found[question.wait_id] = {"resolution": "did_not_happen"}
                case _:
                    run.problem = (
                        f"nobody knows whether {question.name} has happened: {question.why}. A "
                        "person must say; here resolve= does, or effects= with the key of each"
                    )
        return found

    def _resolved(
        self, question: Question, before: list[Effect]
    ) -> Happened[Any] | DidNotHappen | None:
        if self.resolve == "did_not_happen":
            return DidNotHappen()
        if self.resolve is not None:
            return self.resolve(question)
        if self.effects is None:
            return None
        for each in new_since(before, self._seen()):
            if each.key == question.key:
                return Happened(each.result)
        return DidNotHappen()
