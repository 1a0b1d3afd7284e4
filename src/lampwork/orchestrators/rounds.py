"""The rounds of an orchestration: what becomes of its plan, its revisions and its choices.

Each of these is the recipe of a child job, whose input is what the model has asked for. Its
docstring is what the model reads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from lampwork.errors import PlanInvalid, StoreUnavailable, joined
from lampwork.job import Job
from lampwork.orchestrators.approval import Proposed, approved
from lampwork.orchestrators.delegation import Delegation, Settled
from lampwork.orchestrators.lane_record import lanes_of
from lampwork.orchestrators.plan import Subtask, lacking, problems_of
from lampwork.orchestrators.plans import (
    Standing,
    chosen_in,
    plan_of,
    revised,
    standing,
    verb_of,
)
from lampwork.orchestrators.record import accepted
from lampwork.store.tasks import orchestrations
from lampwork.store.tasks.orchestrations import Orchestration

if TYPE_CHECKING:
    from lampwork.orchestrators.orchestrator import Orchestrator
    from lampwork.runs.flow import Flow

__all__ = ["delegate", "plan", "revise"]


async def plan(job: Job, subtasks: list[Subtask]) -> dict[str, Any]:
    """Plan the work and have it done: returns when every subtask has succeeded or failed.

    Make one plan, at the beginning.
    """
    return await _carry_out(job, _first_plan, subtasks=subtasks)


async def revise(
    job: Job, reason: str, subtasks: list[Subtask], drop: list[str] | None = None
) -> dict[str, Any]:
    """Change the plan and go on: give only subtasks that are new or changed, and the ids to drop.

    Subtasks that have succeeded stay as they are, and are not done again.
    """
    return await _carry_out(job, _revision, why=reason, subtasks=subtasks, drop=drop or [])


async def delegate(job: Job, subtask: str, agent: str) -> dict[str, Any]:
    """Give a subtask that has failed to an agent of your choice, and go on with the plan."""
    return await _carry_out(job, _choice, subtask=subtask, agent=agent)


async def _carry_out(
    job: Job, change: Any, *, why: str | None = None, **asked: Any
) -> dict[str, Any]:
    flow = job._flow  # pyright: ignore[reportPrivateUsage]  # our own recipe
    try:
        orchestration, before = await flow.store.read(_before, _task(flow), flow.job_id)
        by = cast("Orchestrator", flow.project.find_genie(orchestration.genie))
        subtasks, forced = change(by, before, **asked)
        done = await _done(flow, subtasks, before, forced)
        spenders: dict[str, list[str]] = {}
        if any(each.budget_share is not None for each in subtasks):
            spenders = await flow.store.read(_spenders, orchestration.id, flow.job_id)
    except StoreUnavailable as error:
        raise flow.unavailable(error) from error
    _require_possible(subtasks, by, orchestration, done)
    if by.plan_approval is not None:
        proposed = Proposed(verb_of(flow.row.callable), subtasks, forced, done.keys(), why)
        subtasks = await approved(job, by, orchestration, proposed)
        _require_possible(subtasks, by, orchestration, done)
    return await Delegation(job, by, orchestration, subtasks, forced, done, spenders).carry_out()


def _require_possible(
    subtasks: Sequence[Subtask],
    by: Orchestrator,
    given: Orchestration,
    done: Mapping[str, Settled],
) -> None:
    """Raise PlanInvalid for a plan that can't be carried out."""
    files = [each["name"] for each in given.files]
    problems = problems_of(subtasks, by.team, done=done)
    problems += lacking(subtasks, files=files, fields=given.fields)
    problems += _not_saved(subtasks, done)
    if problems:
        raise _invalid("The plan can't be carried out", problems)


def _task(flow: Flow) -> str:
    """The orchestrator's task, whose call has started this round."""
    assert flow.lineage.task_id is not None
    return flow.lineage.task_id


# --- what each verb makes of the plan ---


def _first_plan(
    by: Orchestrator, before: Standing, subtasks: Sequence[Subtask]
) -> tuple[Sequence[Subtask], dict[str, str]]:
    if before.subtasks:
        raise PlanInvalid("There is a plan already. Change it with revise.", problems=[])
    return subtasks, {}


def _revision(
    by: Orchestrator, before: Standing, subtasks: Sequence[Subtask], drop: Sequence[str]
) -> tuple[Sequence[Subtask], dict[str, str]]:
    _require_plan(before)
    if before.revisions >= by.limits.revisions:
        raise PlanInvalid(
            f"The plan was revised {before.revisions} times, and that is the most. "
            "Answer with what there is.",
            problems=[],
        )
    problems = [
        f'subtask "{each}" has succeeded and stays as it is; give new work another id'
        for each in [*(subtask.id for subtask in subtasks), *drop]
        if _has_succeeded(before, each)
    ]
    known = {each.id for each in before.subtasks}
    problems += [f'drop: there is no subtask "{each}"' for each in drop if each not in known]
    if problems:
        raise _invalid("The plan can't be revised so", problems)
    return revised(before.subtasks, subtasks, drop), {}


def _choice(
    by: Orchestrator, before: Standing, subtask: str, agent: str
) -> tuple[Sequence[Subtask], dict[str, str]]:
    _require_plan(before)
    found = before.outcomes.get(subtask)
    if found is None or found["status"] != "failed":
        failed = [id for id, each in before.outcomes.items() if each["status"] == "failed"]
        raise PlanInvalid(
            f'Subtask "{subtask}" has not failed. Failed are: {", ".join(failed) or "none"}.',
            problems=[],
        )
    if before.chosen.get(subtask, 0) >= by.limits.choices:
        raise PlanInvalid(
            f'Subtask "{subtask}" was given to {by.limits.choices} agents of your choice, and that '
            "is the most. Revise the plan, or answer with what there is.",
            problems=[],
        )
    return before.subtasks, {subtask: agent}


def _invalid(what: str, problems: list[str]) -> PlanInvalid:
    return PlanInvalid(f"{what}: {joined(problems)}", problems=problems)


def _require_plan(before: Standing) -> None:
    if not before.subtasks:
        raise PlanInvalid("There is no plan yet. Make one with plan.", problems=[])


def _has_succeeded(before: Standing, subtask: str) -> bool:
    return subtask in before.outcomes and before.outcomes[subtask]["status"] == "succeeded"


def _not_saved(subtasks: Sequence[Subtask], done: Mapping[str, Settled]) -> list[str]:
    """What subtasks are to be given that those which have succeeded did not save."""
    found: list[str] = []
    for each in (one for one in subtasks if one.id not in done):
        for source in each.inputs:
            settled = done.get(source.subtask or "")
            if settled is None or settled.answer is None or source.artifact is None:
                continue
            saved = [artifact.name for artifact in settled.answer.artifacts]
            if source.artifact not in saved:
                found.append(
                    f'subtask "{each.id}": input "{source.name}": nothing produces the file '
                    f'"{source.artifact}"; subtask "{source.subtask}" has saved: '
                    f"{', '.join(saved) or 'none'}"
                )
    return found


# --- where it stands ---


def _before(connection: Any, task_id: str, job_id: str) -> tuple[Orchestration, Standing]:
    """The orchestration that a round is of, and how it stood when this round began."""
    found = orchestrations.rounds_of(connection, task_id)
    earlier = found[: [each.job_id for each in found].index(job_id)]
    return orchestrations.orchestration(connection, task_id), standing(earlier)


def _spenders(connection: Any, task_id: str, job_id: str) -> dict[str, list[str]]:
    """By subtask, the tasks that were about it in the rounds before this one."""
    found: dict[str, list[str]] = {}
    rounds = orchestrations.rounds_of(connection, task_id)
    for at in range([each.job_id for each in rounds].index(job_id)):
        before, round = standing(rounds[:at]), rounds[at]
        plan = plan_of(round, before.subtasks)
        settled = before.settled(plan, chosen_in(round))
        for lane in lanes_of(connection, round.job_id, plan, settled, ()):
            found.setdefault(lane.subtask.id, []).extend(lane.tasks)
    return found


async def _done(
    flow: Flow, subtasks: Sequence[Subtask], before: Standing, forced: Collection[str]
) -> dict[str, Settled]:
    """What was settled in earlier rounds, and stays so."""
    settled = before.settled(subtasks, forced)
    stay = [each for each in subtasks if each.id in settled]
    done = [each for each in stay if _has_succeeded(before, each.id)]
    answers = await accepted(flow.store, [before.outcomes[each.id] for each in done])
    found = {each.id: answer for each, answer in zip(done, answers, strict=True)}
    return {each.id: Settled(each, before.outcomes[each.id], found.get(each.id)) for each in stay}
