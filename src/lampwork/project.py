"""A project: the namespace that owns recipes, genies and skills. Nothing of it is global."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from typing_extensions import Unpack

from lampwork import faults, importable
from lampwork.app import App
from lampwork.errors import (
    DuplicateName,
    GenieNotFound,
    NotImportable,
    ProjectError,
    RecipeNotFound,
    one_of,
    quoted,
)
from lampwork.genies.budget import Budget
from lampwork.genies.genie import Genie, listed
from lampwork.genies.knowledge import Knowledge, Search
from lampwork.genies.skill import Skill, SkillOptions
from lampwork.job import Job
from lampwork.models import Model, Playbook
from lampwork.models.rate_limit import RateLimit
from lampwork.names import wrong_name
from lampwork.orchestrators.check import AcceptanceCheck
from lampwork.orchestrators.orchestrator import Orchestrator, OrchestratorOptions
from lampwork.outbound.hosts import AllowedHosts
from lampwork.recipe import Recipe
from lampwork.retention import Retention
from lampwork.settings import Settings
from lampwork.triggers.trigger import Definition as AnyTrigger
from lampwork.triggers.trigger import check_paths, check_triggers

if TYPE_CHECKING:
    from lampwork.checks.finding import Finding
    from lampwork.graphs import Graphs
    from lampwork.views import Graph

P = ParamSpec("P")
R = TypeVar("R")
Definition = TypeVar("Definition")

RecipeFunction = Callable[Concatenate[Job, P], Coroutine[Any, Any, R]]
"""`async def name(job: Job, …) -> R`."""


class Project:
    """Recipes, genies and skills that belong together.

    >>> project = Project("bookshop")
    """

    def __init__(
        self,
        name: str,
        title: str | None = None,
        *,
        max_queued: int | None = None,
        rate_limits: Mapping[str, RateLimit] | None = None,
        retention: Retention | None = None,
        allow_hosts: Iterable[str] = (),
    ) -> None:
        """`max_queued` is how many of its jobs may wait to begin before new ones are refused.

        `rate_limits` are by provider, `openai`, by model, `openai:gpt-5.2`, or by the host of a
        `Model(base_url=…)`. `retention` says what is deleted by itself, and when; without it
        nothing is. `allow_hosts` are those that skills reach by `call.http` though they are not
        public, and from which files may be given by address (`*`: all public ones). Raises
        ProjectError.
        """
        self.allowed_hosts: AllowedHosts = AllowedHosts.of(name, ())
        with faults.judged():
            if (problem := wrong_name(name)) is not None:
                raise ProjectError(f"Project: {problem}")
            if max_queued is not None and max_queued < 1:
                raise ProjectError(
                    f'Project "{name}": max_queued={max_queued} would let no job be started. '
                    "Give a number from 1 on, or leave it out for any number."
                )
            for limited, limit in (rate_limits or {}).items():
                if not isinstance(limit, RateLimit):  # pyright: ignore[reportUnnecessaryIsInstance]
                    raise ProjectError(
                        f'Project "{name}": rate_limits["{limited}"]={limit!r} is no rate limit. '
                        "Give RateLimit(requests_per_minute=…, tokens_per_minute=…)."
                    )
            self.allowed_hosts = AllowedHosts.of(name, allow_hosts)
        self.name = name
        self.retention = retention
        self.title: str = title or name
        self.max_queued = max_queued
        self.rate_limits: Mapping[str, RateLimit] = MappingProxyType(dict(rate_limits or {}))
        self._recipes: dict[str, Recipe[..., Any]] = {}
        self._genies: dict[str, Genie] = {}
        self._skills: dict[str, Skill[..., Any]] = {}
        self._knowledge: dict[str, Knowledge] = {}
        self._checks: dict[str, AcceptanceCheck[..., Any]] = {}
        self._stands: dict[tuple[str, str], str] = {}

    @property
    def recipes(self) -> Mapping[str, Recipe[..., Any]]:
        """The recipes by name."""
        return MappingProxyType(self._recipes)

    @property
    def genies(self) -> Mapping[str, Genie]:
        """The genies by name."""
        return MappingProxyType(self._genies)

    @property
    def skills(self) -> Mapping[str, Skill[..., Any]]:
        """The skills by name."""
        return MappingProxyType(self._skills)

    @property
    def knowledge_bases(self) -> Mapping[str, Knowledge]:
        """What genies may search, by name."""
        return MappingProxyType(self._knowledge)

    @property
    def acceptance_checks(self) -> Mapping[str, AcceptanceCheck[..., Any]]:
        """What answers of subtasks may have to pass, by name."""
        return MappingProxyType(self._checks)

    def check(self) -> list[Finding]:
        """What is wrong, or looks wrong, with the definitions; the gravest first."""
        from lampwork.checks import check

        return check(self)

    def graph(self, recipe: str) -> Graph:
        """What a recipe may do and in which order, as its source says it. Raises RecipeNotFound."""
        return self._graphs.of(recipe)

    @cached_property
    def _graphs(self) -> Graphs:
        from lampwork.graphs import Graphs

        return Graphs(self)

    @overload
    def recipe(self, fn: RecipeFunction[P, R], /) -> Recipe[P, R]: ...

    @overload
    def recipe(
        self,
        fn: None = None,
        /,
        *,
        name: str | None = None,
        triggers: Iterable[AnyTrigger] = (),
        concurrency: int | None = None,
        ordered: bool = False,
    ) -> Callable[[RecipeFunction[P, R]], Recipe[P, R]]: ...

    def recipe(
        self,
        fn: Any = None,
        /,
        *,
        name: str | None = None,
        triggers: Iterable[AnyTrigger] = (),
        concurrency: int | None = None,
        ordered: bool = False,
    ) -> Any:
        """Define a recipe: an async function whose first parameter is its job.

        >>> @project.recipe()
        ... async def parcel(job: Job, title: str) -> int:
        ...     return await job.step(weigh, title)

        `triggers`, such as `[Cron("@daily")]`, start jobs of it by themselves where a worker
        executes, or upon what comes from outside. At most `concurrency` of its jobs run at a time,
        over all workers; those that only wait do not count, unless they keep their order: with
        `concurrency=1, ordered=True` a job begins when the one before it has ended. Raises
        ProjectError, TriggerInvalid, DuplicateName.
        """

        def define(fn: RecipeFunction[P, R]) -> Any:
            with faults.judged(fn):
                recipe = Recipe(fn, name=name, concurrency=concurrency, ordered=ordered)
                with faults.judged(fn):
                    recipe.triggers = check_triggers(recipe, triggers)
                    check_paths(recipe, self._recipes.values())
                self._add(self._recipes, recipe.name, recipe, "recipe")
                return recipe
            return faults.Unsound(fn)

        return define if fn is None else define(fn)

    @overload
    def skill(self, fn: Callable[P, R], /) -> Skill[P, R]: ...

    @overload
    def skill(
        self, fn: None = None, /, **options: Unpack[SkillOptions]
    ) -> Callable[[Callable[P, R]], Skill[P, R]]: ...

    def skill(self, fn: Any = None, /, **options: Unpack[SkillOptions]) -> Any:
        """Define a skill; its docstring says when to use it. Options: see `SkillOptions`.

        >>> @project.skill(effect="idempotent")
        ... async def refund(cents: int, order_id: Metadata[str], call: SkillCall) -> str:
        ...     '''Give money back for the order.'''
        ...     return await bank.pay(order_id, cents, key=call.idempotency_key)

        Raises SkillInvalid, DuplicateName.
        """

        def define(fn: Callable[P, R]) -> Any:
            with faults.judged(fn):
                skill = Skill[P, R].define(fn, **options)
                self._add(self._skills, skill.name, skill, "skill")
                if skill.recipe is not None:
                    recipe: Recipe[..., Any] = Recipe(fn, name=skill.recipe)  # type: ignore[arg-type]
                    self._add(self._recipes, skill.recipe, recipe, "recipe")
                return skill
            return faults.Unsound(fn)

        return define if fn is None else define(fn)

    def genie(
        self,
        name: str,
        *,
        model: str | Model | Playbook,
        job_description: str,
        skills: Iterable[Skill[..., Any] | Recipe[..., Any]] = (),
        knowledge: Iterable[Knowledge] = (),
        max_turns: int = 50,
        budget: Budget | None = None,
        max_concurrent_tasks: int | None = None,
    ) -> Genie:
        """Define a genie. Recipes are accepted among its skills; knowledge is what it may search.

        >>> cashier = project.genie(
        ...     "cashier", model="openai:gpt-5.2", job_description="You pay back.", skills=[refund]
        ... )

        A task that takes more than `max_turns` model responses fails with TurnLimitReached.
        `budget` is that of each task that is assigned without one. The genie works on at most
        `max_concurrent_tasks` at a time, over all workers; a task that waits for something else
        does not count.

        Raises SkillInvalid, DuplicateName, ProjectError.
        """
        genie = Genie(name, self, model, job_description, lacks_skills=True)
        with faults.judged():
            given = listed(name, "skills", skills)
            sound = faults.sound(given)
            genie = Genie.define(
                name,
                project=self,
                model=model,
                job_description=job_description,
                skills=sound,
                knowledge=knowledge,
                max_turns=max_turns,
                budget=budget,
                max_concurrent_tasks=max_concurrent_tasks,
            )
            if len(sound) < len(given):
                genie = replace(genie, lacks_skills=True)
            self._add(self._genies, name, genie, "genie")
        return genie

    def orchestrator(
        self,
        name: str,
        *,
        model: str | Model | Playbook,
        job_description: str,
        agents: Iterable[Genie],
        **options: Unpack[OrchestratorOptions],
    ) -> Orchestrator:
        """Define an orchestrator: a genie that plans, and has agents do the work, side by side.

        >>> desk = project.orchestrator(
        ...     "desk", model="openai:gpt-5.2", job_description="You lead.", agents=[cashier]
        ... )

        Its agents are genies and orchestrators of the project. It can be given no skills. It may be
        assigned tasks, and be talked to, wherever a genie may. Options: see `OrchestratorOptions`.

        Raises OrchestratorInvalid, DuplicateName, ProjectError.
        """
        made = Orchestrator(name, self, model, job_description, lacks_skills=True)
        with faults.judged():
            made = Orchestrator.coordinating(
                name,
                project=self,
                model=model,
                job_description=job_description,
                agents=agents,
                **options,
            )
            self._add(self._genies, name, made, "genie")
        return made

    @overload
    def acceptance_check(self, fn: Callable[P, R], /) -> AcceptanceCheck[P, R]: ...

    @overload
    def acceptance_check(
        self, fn: None = None, /, *, name: str | None = None
    ) -> Callable[[Callable[P, R]], AcceptanceCheck[P, R]]: ...

    def acceptance_check(self, fn: Any = None, /, *, name: str | None = None) -> Any:
        """Define a check that the answer of a subtask may have to pass to be accepted.

        >>> @project.acceptance_check
        ... def adds_up(answer: TaskAnswer) -> str | None:
        ...     '''The regions add up to the total.'''
        ...     return None if sum(answer.output["regions"]) == answer.output["total"] else "no"

        It returns what is wrong, a text or a list of texts, or nothing (or True) to accept it.

        Raises ProjectError, DuplicateName.
        """

        def define(fn: Callable[P, R]) -> Any:
            with faults.judged(fn):
                check = AcceptanceCheck[P, R].define(fn, name)
                self._add(self._checks, check.name, check, "check")
                return check
            return faults.Unsound(fn)

        return define if fn is None else define(fn)

    def knowledge(
        self, name: str, *, search: Search, permissioned: bool = False, k: int = 5
    ) -> Knowledge:
        """Define documents that genies may search, as `search(query, k, user)`.

        >>> rules = project.knowledge("rules", search=search_rules)

        Its docstring says what is in them. A genie with `permissioned` ones, of which each user may
        see others, takes no tasks in the background unless public documents are enough for them.

        Raises SkillInvalid, DuplicateName.
        """
        base = Knowledge.define(name, search, permissioned=permissioned, k=k)
        self._add(self._knowledge, name, base, "knowledge")
        return base

    def find_genie(self, name: str) -> Genie:
        """A genie by name. Raises GenieNotFound."""
        if name not in self._genies:
            raise GenieNotFound(self._lacks("genie", name, self._genies))
        return self._genies[name]

    def find_recipe(self, name: str) -> Recipe[..., Any]:
        """A recipe by name. Raises RecipeNotFound."""
        if name not in self._recipes:
            raise RecipeNotFound(self._lacks("recipe", name, self._recipes))
        return self._recipes[name]

    def _lacks(self, kind: str, name: str, defined: Iterable[str]) -> str:
        return f"Project {quoted(self.name)} has no {kind} {quoted(name)}. {one_of(name, defined)}"

    # --- running ---

    def open(
        self, home: str | Path | None = None, *, settings: Settings | None = None
    ) -> AbstractAsyncContextManager[App]:
        """Open the project and execute its jobs in this process.

        >>> async with project.open() as app:
        ...     verdict = await app.run(decide, order_id="A-1017")

        `home` is the folder of the state, `./.lampwork` by default. Raises FolderInUse,
        FolderNotWritable, DatabaseTooNew.
        """
        return App.opened(self, settings or Settings.load(home=home))

    @overload
    def run(self, recipe: Recipe[P, R], /, *args: P.args, **input: P.kwargs) -> R: ...

    @overload
    def run(
        self, recipe: Recipe[..., R], /, *args: Any, home: str | Path | None, **input: Any
    ) -> R: ...

    def run(
        self, recipe: Recipe[Any, R], /, *args: Any, home: str | Path | None = None, **input: Any
    ) -> R:
        """Open the project, run a recipe, close it: for scripts, outside an event loop.

        >>> project.run(decide, order_id="A-1017")
        Verdict(status='refund')

        Raises JobFailed when the job did not succeed.
        """

        async def run() -> R:
            async with self.open(home) as app:
                return await app.run(recipe, *args, **input)

        return asyncio.run(run())

    # --- names of callables, as jobs keep them ---

    def callable_of(self, fn: Any) -> str:
        """The name under which a recipe or function is found again.

        Raises NotImportable.
        """
        if isinstance(fn, Recipe):
            if self._recipes.get(fn.name) is fn:
                return fn.name
            raise NotImportable(
                f'Recipe "{fn.name}" is not in project "{self.name}". Call recipes of this project.'
            )
        return importable.name_of(fn)

    def load_callable(self, name: str) -> Callable[..., Any]:
        """The function behind such a name.

        Raises NotImportable.
        """
        if name in self._recipes:
            return self._recipes[name].fn
        if ":" not in name:
            raise NotImportable(
                f'Project "{self.name}" has no recipe "{name}" any more. '
                "Bring it back, or cancel the job."
            )
        return importable.load(name)

    @cached_property
    def version(self) -> str:
        """A digest of the name, and of the source files that define the recipes and skills."""
        functions = [each.fn for each in (*self._recipes.values(), *self._skills.values())]
        functions += [base.search for base in self._knowledge.values()]
        functions += [check.fn for check in self._checks.values()]
        files = {importable.source_file(fn) for fn in functions} - {None}
        digest = hashlib.sha256(f"{self.name}\n".encode())
        for file in sorted(filter(None, files)):
            digest.update(Path(file).read_bytes())
        return digest.hexdigest()[:16]

    def _add(self, defined: dict[str, Definition], name: str, new: Definition, kind: str) -> None:
        if name in defined:
            raise DuplicateName(
                f'The project has a {kind} "{name}" already ({self._stands[kind, name]}); give one '
                "another name."
            )
        defined[name] = new
        self._stands[kind, name] = faults.place()
