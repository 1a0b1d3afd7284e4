"""The door to orchestrations from outside: what people decide about plans and subtasks.

Like the door to jobs, of which it is a part, it needs only the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from lampwork import values
from lampwork.errors import InputInvalid, ResultNotRecordable, WaitNotFound
from lampwork.orchestrators import approval, ordering
from lampwork.store.jobs import inbox
from lampwork.store.jobs.inbox import Delivery
from lampwork.store.people.audit import Act, recorded
from lampwork.store.store import Store
from lampwork.store.tasks import orchestrations
from lampwork.types import Json

__all__ = ["OrchestrationsDoor", "check_json"]


class OrchestrationsDoor:
    """What people can do about orchestrations.

    Each is named by its task, or by the job that has assigned it, if that has no other one.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    async def approve_plan(
        self, orchestration: str, *, by: str, digest: str, reason: str = ""
    ) -> None:
        """Let the plan of an orchestration be carried out that waits for that.

        `digest` is that of the plan which was looked at: of another one, nothing is approved.
        Raises TaskNotFound, JobNotFound, WaitNotFound, AlreadyAnswered, JobEnded, ProposalChanged;
        SeveralOrchestrations for a job that has them.
        """
        await self._decide_plan("approved", orchestration, by=by, digest=digest, reason=reason)

    async def reject_plan(
        self, orchestration: str, *, by: str, digest: str, reason: str = ""
    ) -> None:
        """Let such a plan not be carried out: its orchestrator is told why, and may plan again.

        Raises what `approve_plan` raises.
        """
        await self._decide_plan("rejected", orchestration, by=by, digest=digest, reason=reason)

    async def edit_plan(
        self, orchestration: str, subtasks: Json, *, by: str, digest: str, reason: str = ""
    ) -> str:
        """Propose other subtasks instead of those that wait to be approved; their digest.

        They are checked like the model's, and wait to be approved in their turn. Raises
        InputInvalid, and what `approve_plan` raises.
        """
        _require_name(by)
        check_json([subtasks, reason, by])
        task, wait, proposal = await self._proposed(orchestration)
        new = approval.edited(proposal, subtasks)
        act = Act("plan.edit", task, details={"digest": new.digest})
        await self.store.write(
            recorded(act, inbox.edit_plan), wait, digest, asdict(new), by=by, reason=reason
        )
        return new.digest

    async def answer_subtask(
        self, orchestration: str, subtask: str, answer: Json, *, by: str, reason: str = ""
    ) -> None:
        """Answer a subtask in its agent's place; the answer must be of its type.

        Whoever works on it is stopped, but for a skill that acts at most once, which is let end
        first. Raises TaskNotFound, InputInvalid, SeveralOrchestrations; SubtaskSettled if it has
        succeeded, or its round has ended.
        """
        await self._by_hand("answer", orchestration, subtask, by=by, reason=reason, answer=answer)

    async def reassign_subtask(
        self, orchestration: str, subtask: str, agent: str, *, by: str, reason: str = ""
    ) -> None:
        """Give a subtask to another agent of its orchestrator. Raises as `answer_subtask`."""
        await self._by_hand("reassign", orchestration, subtask, by=by, reason=reason, agent=agent)

    async def retry_subtask(
        self, orchestration: str, subtask: str, *, by: str, reason: str = ""
    ) -> None:
        """Have a subtask tried anew, as it was planned. Raises as `answer_subtask`."""
        await self._by_hand("retry", orchestration, subtask, by=by, reason=reason)

    async def skip_subtask(
        self, orchestration: str, subtask: str, *, by: str, reason: str = ""
    ) -> None:
        """Have a subtask not done: what depends on it goes on as if it had failed.

        Raises as `answer_subtask`.
        """
        await self._by_hand("skip", orchestration, subtask, by=by, reason=reason)

    async def _by_hand(
        self,
        verb: str,
        orchestration: str,
        subtask: str,
        *,
        by: str,
        reason: str,
        agent: str | None = None,
        answer: Json = None,
    ) -> None:
        _require_name(by)
        check_json([by, reason, answer])
        task = await self._named(orchestration)
        details: dict[str, Json] = {"subtask": subtask, "reason": reason}
        details |= {} if agent is None else {"agent": agent}
        act = Act(f"subtask.{verb}", task, details=details)
        how: dict[str, Any] = {"by": by, "reason": reason, "agent": agent, "answer": answer}
        asking = recorded(act, ordering.ask_for)
        self._answered(await self.store.write(asking, task, verb, subtask, **how))

    async def _decide_plan(
        self, verdict: str, orchestration: str, *, by: str, digest: str, reason: str
    ) -> None:
        _require_name(by)
        check_json([reason, by])
        task, wait, _ = await self._proposed(orchestration)
        decision = {"verdict": verdict, "reason": reason, "digest": digest}
        verb = "approve" if verdict == "approved" else "reject"
        deciding = recorded(Act(f"plan.{verb}", task, details=decision), inbox.decide_plan)
        self._answered([await self.store.write(deciding, wait, decision, by)])

    async def _proposed(self, orchestration: str) -> tuple[str, str, dict[str, Json]]:
        """The task, its plan that was proposed last, and the wait of that. Raises WaitNotFound."""
        task = await self._named(orchestration)
        found = await self.store.read(orchestrations.last_proposal, task)
        if found is None:
            raise WaitNotFound(
                f"Orchestration {task} has no plan that waits to be approved. "
                f"`lampwork orchestration {task}` shows where it stands."
            )
        return (task, *found)

    async def _named(self, orchestration: str) -> str:
        return await self.store.read(orchestrations.named, orchestration)

    # --- what the executing process is told ---

    def _answered(self, deliveries: Iterable[Delivery]) -> None:
        """Answers are in the inbox."""


def _require_name(by: str) -> None:
    """Raise InputInvalid for what nobody says."""
    if not by:
        raise InputInvalid("Say who does it: by= is empty. Nothing was changed.", problems=["by"])


def check_json(value: Any) -> None:
    """Raise InputInvalid for what is no JSON."""
    try:
        values.encode(value, values.UNTYPED, "the value")
    except ResultNotRecordable as error:
        raise InputInvalid(f"{error.message}. Nothing was changed.") from error
