"""An orchestrator: a genie that has agents instead of skills."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import TypedDict, Unpack

from lampwork.errors import (
    OrchestratorInvalid,
    PlanInvalid,
    PlanRejected,
    close_to,
    joined,
    one_of,
)
from lampwork.genies.budget import Budget
from lampwork.genies.genie import Genie
from lampwork.genies.report import is_report, report_in
from lampwork.genies.skill import Skill
from lampwork.metadata import Key
from lampwork.models.resolve import Model, Playbook
from lampwork.orchestrators.approval import ALWAYS, PlanApproval
from lampwork.orchestrators.integration import conclude, outcomes_in
from lampwork.orchestrators.limits import OrchestrationLimits
from lampwork.orchestrators.plan import Plan, Team, as_given, problems_of
from lampwork.orchestrators.planned import Planned
from lampwork.orchestrators.report import problems_of_report
from lampwork.orchestrators.verbs import PLANNING, verbs_of
from lampwork.recipe import Recipe
from lampwork.tasks.assignment import DEEPEST

if TYPE_CHECKING:
    from lampwork.genies.output import Output
    from lampwork.models.ask import LanguageModel
    from lampwork.orchestrators.check import AcceptanceCheck
    from lampwork.project import Project
    from lampwork.tasks.action import Action
    from lampwork.tasks.task import Ending, TaskInHand
    from lampwork.tasks.transcript import Transcript
    from lampwork.types import Json

__all__ = ["Orchestrator", "OrchestratorOptions"]

_WORK = (
    "You coordinate agents, and do none of the work yourself. Break the request down with `plan`: "
    "each subtask goes to one agent, which knows nothing but its brief and its inputs. Subtasks "
    "run side by side as soon as what they depend on is there. You get back what came of each. "
    "What has failed you may give to another agent with `delegate`, or plan anew with `revise`. "
    "Then integrate what the agents have produced into your answer. Use nothing that they have "
    "not produced, and say what is missing."
)


class OrchestratorOptions(TypedDict, total=False):
    """What `project.orchestrator(…)` takes beside its agents."""

    fallbacks: Mapping[Genie | str, Iterable[Genie | str]] | None
    """By agent, those that take over when it fails, where a subtask names none of its own."""
    pass_metadata: Mapping[Genie | str, Iterable[str]] | None
    """By agent, the keys of the metadata of its tasks that the agent's skills get."""
    judge: Genie | None
    """Who judges answers where a plan has a rubric."""
    plan: Plan | None
    """With it the model makes none."""
    plan_approval: PlanApproval | None
    """`"always"`, or a function that says so of a `Plan`: a person approves or edits a plan before
    anything of it runs."""
    limits: OrchestrationLimits | None
    """How far it goes."""
    max_turns: int
    """Responses of its model in one task; then the task fails with TurnLimitReached."""
    budget: Budget | None
    """Of each task that is assigned without one."""
    max_concurrent_tasks: int | None
    """Of its tasks at a time, over all workers."""


@dataclass(frozen=True, eq=False, repr=False)
class Orchestrator(Genie):
    """A definition; `project.orchestrator(…)` makes it."""

    agents: Mapping[str, Genie] = field(default_factory=dict[str, Genie])
    """By name."""
    fallbacks: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """By agent, those that take over where a subtask names no fallbacks of its own."""
    pass_metadata: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """By agent, the keys of its own tasks' metadata that it passes on."""
    judge: Genie | None = None
    limits: OrchestrationLimits = field(default_factory=OrchestrationLimits)
    plan: Plan | None = None
    """By the author, where the model makes none."""
    plan_approval: PlanApproval | None = None
    """Which plans a person approves before anything of them runs."""

    @classmethod
    def coordinating(
        cls,
        name: str,
        *,
        project: Project,
        model: str | Model | Playbook,
        job_description: str,
        agents: Iterable[Genie],
        **options: Unpack[OrchestratorOptions],
    ) -> Orchestrator:
        """An orchestrator of these agents. Raises OrchestratorInvalid, ProjectError."""
        _require_types(name, agents, options)
        plain = Genie.define(
            name,
            project=project,
            model=model,
            job_description=job_description,
            max_turns=options.get("max_turns", Genie.max_turns),
            budget=options.get("budget"),
            max_concurrent_tasks=options.get("max_concurrent_tasks"),
        )
        team, plan = _agents(plain, list(agents)), options.get("plan")
        found = cls(
            **{each: getattr(plain, each) for each in Genie.__dataclass_fields__},
            agents=MappingProxyType(team),
            fallbacks=_fallbacks(name, team, options.get("fallbacks") or {}),
            pass_metadata=_passed(name, team, options.get("pass_metadata") or {}),
            judge=_judge(plain, team, options.get("judge")),
            limits=options.get("limits") or OrchestrationLimits(),
            plan=plan,
            plan_approval=_approval(name, options.get("plan_approval")),
        )
        object.__setattr__(found, "skills", verbs_of(found))
        _check_depth(found)
        if plan is not None and plan.is_sound_throughout:
            _check_plan(found, plan)
        return found

    @property
    def checks(self) -> Mapping[str, AcceptanceCheck[..., Any]]:
        """What its subtasks' answers may have to pass: the checks of its project."""
        return self.project.acceptance_checks

    @property
    def team(self) -> Team:
        """What its plans may name."""
        names = tuple(self.agents), tuple(self.checks)
        return Team(*names, self.judge is not None, self.limits.subtasks)

    # --- as its tasks are worked on ---

    @cached_property
    def metadata(self) -> Mapping[str, list[tuple[str, Key]]]:
        """The keys that it passes on, with who reads them: agent and skill."""
        found: dict[str, list[tuple[str, Key]]] = {}
        for agent, keys in self.pass_metadata.items():
            for key in keys:
                read = [(f"{agent}.{who}", each) for who, each in self.agents[agent].metadata[key]]
                found.setdefault(key, []).extend(read)
        return found

    @property
    def briefed(self) -> str:
        """Its job description, how it works, and its agents."""
        team = "\n".join(
            f"- {name}: {_first(each.job_description)}" for name, each in self.agents.items()
        )
        text = f"{self.job_description}\n\n{_WORK}\n\nYour agents:\n{team}".lstrip()
        if self.checks:
            listed = "\n".join(
                f"- {each.name}: {_first(each.doc)}" for each in self.checks.values()
            )
            text += f"\n\nChecks that an answer may have to pass:\n{listed}"
        return text

    @property
    def hears_from(self) -> str:
        """What its agents say, and what is in files."""
        return "What your agents have produced, why they have failed, and files,"

    @property
    def works_through(self) -> Iterable[Genie]:
        """Its agents, and its judge."""
        return [*self.agents.values(), *([] if self.judge is None else [self.judge])]

    @property
    def one_at_a_time(self) -> frozenset[str]:
        """One round after the other."""
        return PLANNING

    def playing(self, model: LanguageModel, *, chat: bool) -> LanguageModel:
        """The model that replies for it; the author's plan comes before what it says."""
        return model if self.plan is None or chat else Planned(model, self.plan)

    def not_yet(self, so_far: Transcript) -> str | None:
        """Why it may not answer a task in the background yet: it would do the work itself."""
        if any(each.skill in PLANNING and each.error is None for each in so_far.results):
            return None
        return "you have not planned anything, and your agents do the work: call `plan` first"

    def misfits(self, so_far: Transcript, output: Output | None, value: Json) -> Sequence[str]:
        """What a report shows and its subtasks have not produced."""
        if not is_report(output):
            return ()
        report = report_in(value)
        return problems_of_report(report, outcomes_in(so_far, PLANNING))

    def check_progress(self, so_far: Transcript) -> None:
        """Raise PlanInvalid or PlanRejected after too many plans in a row that came to nothing."""
        refused: list[Action] = []
        for action in reversed(so_far.actions.values()):
            if action.skill not in PLANNING or action.status not in _REFUSALS:
                break
            refused.append(action)
        last = refused[0].error or "" if refused else ""
        if refused and self._is_by_author(refused[0]):
            what = f'The plan= of orchestrator "{self.name}" can\'t be carried out here'
            raise PlanInvalid(f"{what}: {last}", problems=[last])
        if len(refused) < self.limits.plan_attempts:
            return
        who = f'Orchestrator "{self.name}" made'
        tried = "1 attempt" if len(refused) == 1 else f"{len(refused)} attempts"
        how = f"in {tried}. The last one: {last}"
        if refused[0].status == "rejected":
            raise PlanRejected(f"{who} no plan that people approve of {how}")
        raise PlanInvalid(f"{who} no valid plan {how}", problems=[last])

    def _is_by_author(self, refused: Action) -> bool:
        """Whether what came to nothing is the author's plan, which no model can mend."""
        if self.plan is None or refused.status == "rejected":
            return False
        return refused.arguments == {"subtasks": as_given(self.plan.subtasks)}

    async def concluding(self, task: TaskInHand, ending: Ending) -> Ending:
        """What came of it: an answer with its sections, or what is missing."""
        return await conclude(task, ending)


_REFUSALS = frozenset({"invalid", "error", "rejected"})
"""How a plan comes to nothing: by its form, as it would be carried out, by a person."""

_NO_SKILLS = "It executes nothing itself: give the skill to a genie, and that genie to it."


def _first(text: str) -> str:
    """The first paragraph, in one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def _wrong(name: str, problem: str) -> OrchestratorInvalid:
    return OrchestratorInvalid(f'Orchestrator "{name}": {problem}')


_OPTIONS: Mapping[str, tuple[type[Any], str]] = {
    "limits": (OrchestrationLimits, "OrchestrationLimits(…)"),
    "plan": (Plan, "Plan(subtasks=[Subtask(…), …])"),
    "fallbacks": (Mapping, "fallbacks={agent: [others]}"),
    "pass_metadata": (Mapping, 'pass_metadata={agent: ["key"]}'),
}
"""Options that are of one type, with what to give."""


def _require_types(name: str, agents: Any, options: Mapping[str, Any]) -> None:
    for given in options.keys() - OrchestratorOptions.__annotations__.keys():
        mend = (
            _NO_SKILLS
            if given == "skills"
            else close_to(given, OrchestratorOptions.__annotations__)
        )
        raise _wrong(name, f"it takes no {given}=. {mend}".rstrip())
    if isinstance(agents, str | Genie) or not isinstance(agents, Iterable):
        raise _wrong(name, "agents= is no list. Give agents=[…], also for a single one.")
    for option, (kind, mend) in _OPTIONS.items():
        if not isinstance(given := options.get(option), kind | None):
            raise _wrong(name, f"{option}= is a {type(given).__name__}. Give {mend}.")


def _agents(self: Genie, given: list[Any]) -> dict[str, Genie]:
    name, project = self.name, self.project
    if not given:
        raise _wrong(name, "it has no agents. Give agents=[…]: it does nothing itself.")
    found: dict[str, Genie] = {}
    for each in given:
        if isinstance(each, Skill | Recipe):
            kind = "recipe" if isinstance(each, Recipe) else "skill"
            raise _wrong(
                name,
                f'agents= has "{each.name}", which is a {kind}. {_NO_SKILLS}',
            )
        if isinstance(each, str):
            problem = "itself" if each == name else f'the name "{each}"'
            raise _wrong(name, f"agents= has {problem}. Give genies that are defined before it.")
        if not isinstance(each, Genie):
            raise _wrong(name, f"agents= has {each!r}, which is no genie.")
        if each.project is not project:
            raise _wrong(name, _of_another("agent", each, project))
        if each.name == name:
            raise _wrong(name, "it can't be its own agent. Give other genies.")
        if each.name in found:
            raise _wrong(name, f'agent "{each.name}" is given twice.')
        found[each.name] = each
    return found


def _of_another(who: str, genie: Genie, project: Project) -> str:
    return (
        f'{who} "{genie.name}" belongs to project "{genie.project.name}". '
        f'Give genies of project "{project.name}".'
    )


def _named(name: str, team: Mapping[str, Genie], given: Any, where: str) -> str:
    agent = given.name if isinstance(given, Genie) else given
    if agent not in team or (isinstance(given, Genie) and team[agent] is not given):
        raise _wrong(name, f'{where} names "{agent}", which is no agent. {one_of(agent, team)}')
    return agent


def _listed(name: str, given: Any, where: str) -> list[Any]:
    if isinstance(given, str | Genie):
        return [given]
    if not isinstance(given, Iterable):
        raise _wrong(name, f"{where} is {given!r}. Give a list.")
    return list(cast(Iterable[Any], given))


def _fallbacks(
    name: str, team: Mapping[str, Genie], given: Mapping[Any, Iterable[Any]]
) -> Mapping[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for agent, others in given.items():
        agent = _named(name, team, agent, "fallbacks=")
        listed = _listed(name, others, f'fallbacks= of "{agent}"')
        found[agent] = [_named(name, team, each, "fallbacks=") for each in listed]
        if agent in found[agent] or len(set(found[agent])) < len(found[agent]):
            raise _wrong(name, f'the fallbacks of "{agent}" must be other agents, each once.')
    return MappingProxyType(found)


def _passed(
    name: str, team: Mapping[str, Genie], given: Mapping[Any, Iterable[str]]
) -> Mapping[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for agent, keys in given.items():
        agent = _named(name, team, agent, "pass_metadata=")
        found[agent] = _listed(name, keys, f'pass_metadata= of "{agent}"')
        for key in found[agent]:
            if key not in team[agent].metadata:
                raise _wrong(
                    name,
                    f'pass_metadata= gives "{key}" to agent "{agent}", none of whose skills '
                    f"declares it. {one_of(key, team[agent].metadata)}",
                )
    return MappingProxyType(found)


def _judge(self: Genie, team: Mapping[str, Genie], judge: Any) -> Genie | None:
    if judge is None:
        return None
    if not isinstance(judge, Genie):
        raise _wrong(self.name, f"judge={judge!r} is no genie. Give one that is defined before it.")
    if judge.project is not self.project:
        raise _wrong(self.name, _of_another("judge", judge, self.project))
    if judge.name in team or judge.name == self.name:
        raise _wrong(
            self.name,
            f'its judge "{judge.name}" is its agent too, and would judge itself. Leave it out of '
            "agents=, or name another judge.",
        )
    return judge


def _approval(name: str, given: Any) -> PlanApproval | None:
    if given is None or given == ALWAYS or (callable(given) and _takes_one(given)):
        return cast("PlanApproval | None", given)
    what = f"{given!r} says nothing"
    if callable(given):
        what = f"{getattr(given, '__name__', repr(given))} does not take a plan"
    raise _wrong(
        name,
        f'plan_approval={what}. Give "{ALWAYS}", a function that takes the Plan, and nothing else, '
        "and says whether a person must approve it, or None.",
    )


def _takes_one(fn: Any) -> bool:
    try:
        inspect.signature(fn).bind(None)
    except TypeError:
        return False
    except ValueError:  # written in C, which says nothing of what it takes
        return True
    return True


def _check_plan(of: Orchestrator, plan: Plan) -> None:
    """Raise OrchestratorInvalid if its agents can't carry it out."""
    if problems := problems_of(plan.subtasks, of.team):
        raise _wrong(of.name, f"plan= can't be carried out: {joined(problems)}")


def _check_depth(of: Orchestrator) -> None:
    """Raise OrchestratorInvalid if its agents' agents stand too deep."""
    depth, level = 1, list(of.agents.values())
    while level:
        depth += 1
        level = [
            each
            for above in level
            if isinstance(above, Orchestrator)
            for each in above.agents.values()
        ]
    if depth > DEEPEST:
        raise _wrong(
            of.name,
            f"its agents stand {depth} deep, one below the other, and {DEEPEST} is the most. "
            "Give it agents further down.",
        )
