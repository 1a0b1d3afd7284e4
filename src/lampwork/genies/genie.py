"""A genie: an AI agent with a job description, a model and the skills it may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from lampwork.errors import DuplicateName, ProjectError, SkillInvalid
from lampwork.genies.budget import Budget
from lampwork.genies.knowledge import Knowledge
from lampwork.genies.skill import Skill
from lampwork.metadata import Key, declared_by
from lampwork.models.resolve import Model, Playbook, is_model, no_model
from lampwork.names import wrong_name
from lampwork.recipe import Recipe

if TYPE_CHECKING:
    from lampwork.genies.output import Output
    from lampwork.models.ask import LanguageModel
    from lampwork.project import Project
    from lampwork.tasks.task import Ending, TaskInHand
    from lampwork.tasks.transcript import Transcript
    from lampwork.types import Json

__all__ = ["Genie", "listed"]


@dataclass(frozen=True, eq=False, repr=False)
class Genie:
    """A definition; `project.genie(…)` makes it. Two genies are the same if they are one object."""

    name: str
    project: Project
    model: str | Model | Playbook
    job_description: str
    skills: tuple[Skill[..., Any], ...] = ()
    max_turns: int = 50
    """Model responses in one task at the most; then the task fails with TurnLimitReached."""
    knowledge: tuple[Knowledge, ...] = ()
    """Each is among its skills too, as `search_<name>`."""
    budget: Budget | None = None
    """Of each task that is assigned without one."""
    max_concurrent_tasks: int | None = None
    """Of its tasks at a time, over all workers; None is any number."""
    lacks_skills: bool = False
    """Whether wrong definitions left it without some of its skills, where they are kept."""

    @classmethod
    def define(
        cls,
        name: str,
        *,
        project: Project,
        model: str | Model | Playbook,
        job_description: str,
        skills: Iterable[Skill[..., Any] | Recipe[..., Any]] = (),
        knowledge: Iterable[Knowledge] = (),
        max_turns: int = 50,
        budget: Budget | None = None,
        max_concurrent_tasks: int | None = None,
    ) -> Genie:
        """A genie with these skills; a recipe among them becomes a skill.

        Raises SkillInvalid, DuplicateName, ProjectError.
        """
        _require_types(name, model, job_description, max_turns, budget)
        most: Any = max_concurrent_tasks
        if most is not None and (type(most) is not int or most < 1):
            raise ProjectError(
                f'Genie "{name}": max_concurrent_tasks={most!r} would let it work on no task. '
                "Give a whole number from 1 on, or leave it out for any number."
            )
        bases = tuple(listed(name, "knowledge", knowledge))
        made = (*(_as_skill(name, each) for each in skills), *(base.skill for base in bases))
        names = [skill.name for skill in made]
        twice = {each for each in names if names.count(each) > 1}
        if twice:
            raise DuplicateName(
                f'Genie "{name}" has two skills called {", ".join(sorted(twice))}. '
                "Give one of them another name=."
            )
        description = job_description.strip()
        return cls(name, project, model, description, made, max_turns, bases, budget, most)

    def __repr__(self) -> str:
        return f'{type(self).__name__}("{self.name}" of project "{self.project.name}")'

    @cached_property
    def metadata(self) -> Mapping[str, list[tuple[str, Key]]]:
        """Every metadata key that its skills declare, with who reads it."""
        return declared_by(self.skills)

    # --- what an orchestrator does in another way ---

    @property
    def briefed(self) -> str:
        """Who it is, as its requests say."""
        return self.job_description

    @property
    def hears_from(self) -> str:
        """What it is told by others than whom it works for, as its requests say."""
        return "Results of skills, and files,"

    @property
    def works_through(self) -> Iterable[Genie]:
        """Those whose background tasks do its work."""
        return ()

    @property
    def one_at_a_time(self) -> frozenset[str]:
        """Skills of which one reply may call but one, once."""
        return frozenset()

    def playing(self, model: LanguageModel, *, chat: bool) -> LanguageModel:
        """What replies for it, where this model was cast."""
        del chat
        return model

    def not_yet(self, so_far: Transcript) -> str | None:
        """Why it may not answer a task in the background yet; None if it may."""

    def misfits(self, so_far: Transcript, output: Output | None, value: Json) -> Sequence[str]:
        """What else is wrong with an answer of the right form, by what was done so far."""
        del so_far, output, value
        return ()

    def check_progress(self, so_far: Transcript) -> None:
        """Raise what ends a task in which it gets nowhere."""

    async def concluding(self, task: TaskInHand, ending: Ending) -> Ending:
        """The end that its task comes to."""
        del task
        return ending


def _require_types(
    name: Any, model: Any, job_description: Any, max_turns: Any, budget: Any
) -> None:
    problem = wrong_name(name)
    if problem is not None:
        raise ProjectError(f"Genie: {problem}")
    if not is_model(model):
        problem = no_model(model)
    elif not isinstance(job_description, str):
        problem = f"job_description={job_description!r} is no text. Say what it does."
    elif type(max_turns) is not int or max_turns < 1:
        problem = f"max_turns={max_turns!r}: give a whole number from 1 on."
    elif budget is not None and not isinstance(budget, Budget):
        problem = f"budget={budget!r} limits nothing. Give Budget(…)."
    if problem:
        raise ProjectError(f'Genie "{name}": {problem}')


def listed(genie: str, argument: str, given: Any) -> list[Any]:
    """What a genie was given several of. Raises ProjectError for what is no list."""
    if not isinstance(given, Iterable):
        how = f"Give {argument}=[…], also for a single one."
        raise ProjectError(f'Genie "{genie}": {argument}= is no list. {how}')
    return list(cast(Iterable[Any], given))


def _as_skill(genie: str, given: Any) -> Skill[..., Any]:
    if isinstance(given, Skill):
        return cast(Skill[..., Any], given)
    if isinstance(given, Recipe):
        return Skill.of_recipe(cast(Recipe[..., Any], given))
    raise SkillInvalid(
        f'Genie "{genie}": {given!r} is neither a skill nor a recipe. '
        "Decorate the function with @project.skill(…)."
    )
