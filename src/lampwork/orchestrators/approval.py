"""A plan that waits for a person before anything of it runs.

What is proposed is the subject of a wait of the round's own job, under a digest. An edit is a new
proposal under another digest, and a decision is for one digest: what was approved is what runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import TypeAdapter, ValidationError

from lampwork import values
from lampwork.errors import InputInvalid, PlanRejected, StepFailed, joined, sentence
from lampwork.orchestrators.plan import Plan, Subtask, Team, as_given, lacking, problems_of
from lampwork.runs.step import call_function
from lampwork.runs.wait import Wait
from lampwork.types import Json, wait_id

if TYPE_CHECKING:
    from lampwork.job import Job
    from lampwork.orchestrators.orchestrator import Orchestrator
    from lampwork.runs.run import Run
    from lampwork.store.tasks.orchestrations import Orchestration

__all__ = ["ALWAYS", "Edited", "PlanApproval", "Proposed", "approved", "digest_of", "edited"]

ALWAYS = "always"

PlanApproval = Literal["always"] | Callable[[Plan], bool] | Callable[[Plan], Awaitable[bool]]
"""Which plans a person approves: all of them, or those of which a function says so."""

_BOUND = ("orchestration", "round", "verb", "subtasks", "chosen")
"""What of a proposal its digest is over."""

_SUBTASKS: TypeAdapter[list[Subtask]] = TypeAdapter(list[Subtask])


@dataclass(frozen=True, slots=True)
class Proposed:
    """A plan, a revision or a choice that could be carried out."""

    verb: str
    subtasks: Sequence[Subtask]
    """All of them, as they would be then."""
    chosen: Mapping[str, str]
    """By subtask, the agent that the orchestrator has chosen for it."""
    done: Collection[str]
    """Those that stay as they are."""
    reason: str | None
    """The orchestrator's, of a revision."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A proposal as a person would have it."""

    subtasks: list[dict[str, Json]]
    digest: str


def digest_of(proposal: Mapping[str, Json]) -> str:
    """What a decision on a proposal is bound to."""
    bound = {name: proposal[name] for name in _BOUND}
    canonical = json.dumps(bound, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


async def approved(
    job: Job, by: Orchestrator, orchestration: Orchestration, proposed: Proposed
) -> Sequence[Subtask]:
    """The subtasks that a person approved of, where this orchestrator's plans need that.

    Raises PlanRejected.
    """
    wanted, why = await _is_wanted(job, by, proposed)
    if not wanted:
        return proposed.subtasks
    proposal: dict[str, Json] = {
        "orchestrator": by.name,
        "orchestration": orchestration.id,
        "round": job.id,
        "verb": proposed.verb,
        "reason": proposed.reason,
        "why": why,
        "subtasks": as_given(proposed.subtasks),
        "chosen": dict(proposed.chosen),
        "done": sorted(proposed.done),
        "team": asdict(by.team),
        "files": [each["name"] for each in orchestration.files],
        "fields": orchestration.fields,
    }
    decision = await _decision(job, proposal | {"digest": digest_of(proposal)})
    given = decision.get("subtasks", proposal["subtasks"])
    if decision["digest"] != digest_of(proposal | {"subtasks": given}):
        raise AssertionError(f"{decision} decides on no plan of {job.id}")
    if decision["verdict"] == "rejected":
        raise _rejected(decision)
    return _SUBTASKS.validate_python(given)


async def _is_wanted(job: Job, by: Orchestrator, proposed: Proposed) -> tuple[bool, str | None]:
    """Whether a person is asked, and why if that was not to be expected."""
    if by.plan_approval is None or by.plan_approval == ALWAYS:
        return by.plan_approval is not None, None
    subtasks = [
        each.model_copy(update={"agent": proposed.chosen[each.id], "fallbacks": []})
        if each.id in proposed.chosen
        else each
        for each in proposed.subtasks
    ]
    asked = job.options(name="plan_approval").step(_says, by.plan_approval, Plan(subtasks=subtasks))
    try:
        return await asked, None
    except StepFailed as error:
        return True, f"nobody knows whether it needs that: {error.message}"


async def _says(fn: Callable[..., Any], plan: Plan) -> bool:
    return bool(await call_function(fn, plan))


async def _decision(job: Job, proposal: dict[str, Json]) -> dict[str, Json]:
    """What a person has decided, by whom and when; the job is parked till then."""

    async def body(run: Run, number: int) -> values.Outcome:
        wait = Wait(
            id=wait_id(run.job_id, number),
            job_id=run.job_id,
            call=number,
            kind="approval",
            subject=proposal,
        )
        answer = await run.until(wait)
        decided = answer.value | {"by": answer.source}
        return values.Value(values.encode(decided, values.UNTYPED, "a decision on a plan"))

    call = job._call("approval", "plan", body, opens=True)  # pyright: ignore[reportPrivateUsage]
    return await call


def _rejected(decision: dict[str, Json]) -> PlanRejected:
    by, reason = decision["by"], decision["reason"]
    why = f": {reason}" if reason else ", without a reason"
    return PlanRejected(
        f"{sentence(f'{by} rejected it{why}')} Nothing of it has run. Plan it in another way that "
        "meets this, or say what can't be done.",
        by=by,
        reason=reason,
    )


def edited(proposal: Mapping[str, Any], given: Json) -> Edited:
    """A proposal with other subtasks, checked like the model's. Raises InputInvalid."""
    if proposal["verb"] == "delegate":
        raise InputInvalid(
            "It is the choice of an agent, and no plan to edit. Approve it, or reject it with the "
            "reason. Nothing was changed."
        )
    try:
        subtasks = _SUBTASKS.validate_python(given)
    except ValidationError as error:
        raise _refused([_named(each) for each in error.errors()]) from error
    team = Team(**proposal["team"])
    problems = [
        *problems_of(subtasks, team, done=proposal["done"]),
        *lacking(subtasks, files=proposal["files"], fields=proposal["fields"]),
        *_done_anew(subtasks, proposal),
    ]
    if problems:
        raise _refused(problems, field="subtasks: ")
    recorded = as_given(subtasks)
    return Edited(recorded, digest_of({**proposal, "subtasks": recorded}))


def _done_anew(subtasks: Sequence[Subtask], proposal: Mapping[str, Any]) -> list[str]:
    before = {each["id"]: each for each in proposal["subtasks"]}
    after = {each["id"]: each for each in as_given(subtasks)}
    return [
        f'subtask "{each}" is settled and stays as it is; give new work another id'
        for each in cast(list[str], proposal["done"])
        if after.get(each) != before[each]
    ]


def _named(error: Any) -> str:
    return f"{'.'.join(map(str, ('subtasks', *error['loc'])))}: {error['msg']}"


def _refused(problems: list[str], *, field: str = "") -> InputInvalid:
    return InputInvalid(
        f"The plan can't be carried out so: {joined(problems)} Nothing was changed.",
        problems=[f"{field}{each}" for each in problems],
    )
