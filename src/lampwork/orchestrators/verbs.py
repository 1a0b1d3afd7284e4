"""The verbs of an orchestrator: plan, revise, delegate. Each is a recipe of ours: a child job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NotRequired, cast

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from lampwork.genies.contract import Contract
from lampwork.genies.skill import Skill
from lampwork.orchestrators import rounds
from lampwork.orchestrators.plan import Subtask, problems_of
from lampwork.types import Json
from lampwork.values import UNTYPED

if TYPE_CHECKING:
    from lampwork.orchestrators.orchestrator import Orchestrator

__all__ = ["PLANNING", "verbs_of"]

PLANNING = frozenset({"plan", "revise", "delegate"})
"""What leads to a round of subtasks."""

_STRICT = ConfigDict(extra="forbid")


class _Planned(TypedDict):
    __pydantic_config__ = _STRICT  # type: ignore[misc]
    subtasks: list[Subtask]


class _Revised(TypedDict):
    __pydantic_config__ = _STRICT  # type: ignore[misc]
    reason: str
    subtasks: list[Subtask]
    drop: NotRequired[list[str]]


class _Delegated(TypedDict):
    __pydantic_config__ = _STRICT  # type: ignore[misc]
    subtask: str
    agent: str


@dataclass(frozen=True, slots=True, eq=False)
class _PlanContract(Contract):
    """What a plan must be beyond its form: one that this orchestrator's agents can carry out."""

    by: Orchestrator | None = field(default=None, repr=False)

    def fit(self, arguments: dict[str, Json]) -> tuple[dict[str, Any], list[str]]:
        """The arguments as they are carried out; or what is wrong with the plan."""
        fitted, problems = Contract.fit(self, arguments)
        by = cast("Orchestrator", self.by)
        if not problems and "agent" in fitted and fitted["agent"] not in by.agents:
            problems = [f"agent: there is no {fitted['agent']}; agents: {', '.join(by.agents)}"]
        if not problems and "subtasks" in fitted and "reason" not in fitted:
            problems = problems_of(
                fitted["subtasks"], by.team
            )  # of a revision only the whole can tell
        return fitted, problems


def verbs_of(orchestrator: Orchestrator) -> tuple[Skill[..., Any], ...]:
    """The skills of an orchestrator: no others can be given to it."""
    return (
        _verb(orchestrator, rounds.plan, _Planned),
        _verb(orchestrator, rounds.revise, _Revised),
        _verb(orchestrator, rounds.delegate, _Delegated),
    )


def _verb(orchestrator: Orchestrator, fn: Callable[..., Any], shape: Any) -> Skill[..., Any]:
    arguments: TypeAdapter[Any] = TypeAdapter(shape)
    schema = arguments.json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    _name_agents(schema, list(orchestrator.agents), list(orchestrator.checks))
    doc = " ".join((fn.__doc__ or "").split())
    names = frozenset(schema["properties"])
    contract = _PlanContract(
        doc, schema, arguments, names, {}, None, UNTYPED, True, by=orchestrator
    )
    callable = f"{fn.__module__}:{fn.__name__}"
    return Skill(
        fn.__name__,
        fn,
        contract,
        "idempotent",
        recipe=callable,
        give_up_after=orchestrator.limits.plan_attempts,
        takes_sealed=False,
    )


def _name_agents(schema: dict[str, Any], agents: list[str], checks: list[str]) -> None:
    """Say in the schema who there is, so that a model can name nobody else."""
    shapes: list[Mapping[str, Any]] = [schema, *schema.get("$defs", {}).values()]
    for shape in shapes:
        fields: dict[str, Any] = shape.get("properties", {})
        for name, of in fields.items():
            of.pop("title", None)
            if name == "agent":
                of["enum"] = agents
            elif name == "fallbacks":
                of["items"] = {"type": "string", "enum": agents}
            elif name == "checks" and checks:
                of["items"] = {"type": "string", "enum": checks}
