"""A skill call that its user must confirm: proposed, decided by that user, and only then intended.

The decision is for one proposal, by its digest, and is written down in one with the intent, so a
call is never done unconfirmed, never confirmed twice, and one confirmation is never used twice.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampwork import failpoint
from lampwork.genies.skill import Skill
from lampwork.runs.deadline import Deadline, OutOfTime
from lampwork.runs.wait import Answer, Wait
from lampwork.store.tasks.conversations import Entry
from lampwork.tasks.conversation import Hold
from lampwork.tasks.transcript import Intent, Proposal
from lampwork.types import Json, wait_id

if TYPE_CHECKING:
    from lampwork.runs.run import Run

__all__ = ["Confirmations", "propose"]

_OF_PROPOSAL = ("version", "user", "expires", "nonce", "digest", "instead_of")
"""What a proposal's entry holds besides the intent that it becomes."""


def propose(
    intent: dict[str, Json],
    skill: Skill[..., Any],
    *,
    task_id: str,
    user: str | None,
    expires: float | None,
) -> Entry:
    """The entry that asks the user for a call; `intent` is what it becomes once confirmed."""
    bound = {"version": skill.version, "expires": expires, "nonce": secrets.token_hex(8)}
    whole = bound | {
        "skill": skill.name,
        "arguments": intent["arguments"],
        "task": task_id,
        "requester": user,
    }
    canonical = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return ("proposal", intent | bound | {"user": user, "digest": digest})


@dataclass(frozen=True, slots=True)
class Confirmations:
    """The gate before the skill calls of one task."""

    run: Run
    hold: Hold
    call: int
    """The number of the task's own call in its job."""
    skills: dict[str, Skill[..., Any]]
    deadline: Deadline

    async def ask(self, intent: Intent) -> dict[str, Json] | None:
        """Wait until its user has decided on a proposed call.

        None when it is confirmed and its intent is on disk; else the result of a call that is not
        done. One whose skill has changed meanwhile is proposed anew. Raises OutOfTime.
        """
        while (proposal := intent.proposal) is not None:
            skill = self.skills.get(intent.skill)
            if skill is None or (skill.recipe is None) != (intent.child is None):
                gone = f"{intent.skill} was not run: the genie no longer has this skill as it was"
                return {"status": "error", "error": {"type": "NotDone", "message": gone}}
            answer = await self._decision(intent, proposal, skill)
            decision: dict[str, Json] = answer.value | {"by": answer.source}
            if not self._is_meant(decision, proposal):
                raise AssertionError(f"{decision} decides on no proposal {proposal.body}")
            failpoint.hit("confirmation.decided")
            if decision["verdict"] == "rejected":
                return _rejected(decision)
            await self._take(intent, proposal, skill, decision)
            failpoint.hit("confirmation.appended")
        return None

    async def _decision(self, intent: Intent, proposal: Proposal, skill: Skill[..., Any]) -> Answer:
        asked = time.monotonic()
        answer = await self.run.until(self._wait(intent, proposal, skill))
        intent.waited += time.monotonic() - asked
        if answer.kind == "expired":
            raise OutOfTime
        return answer

    def _wait(self, intent: Intent, proposal: Proposal, skill: Skill[..., Any]) -> Wait:
        return Wait(
            id=wait_id(self.run.job_id, self.call, f"{intent.label}.c{proposal.nth}"),
            job_id=self.run.job_id,
            call=self.call,
            kind="confirmation",
            task_id=self.hold.task_id,
            due_at=self.deadline.at,
            subject={
                "user": proposal.body["user"],
                "skill": intent.skill,
                "says": skill.doc.partition("\n")[0],
                "arguments": intent.arguments,
                "metadata": proposal.body.get("metadata", []),
                "digest": proposal.body["digest"],
            },
        )

    def _is_meant(self, decision: dict[str, Json], proposal: Proposal) -> bool:
        """Looked at again where it is used: the door has refused anything else."""
        of = decision["digest"], decision["by"]
        return of == (proposal.body["digest"], proposal.body["user"])

    async def _take(
        self,
        intent: Intent,
        proposal: Proposal,
        skill: Skill[..., Any],
        decision: dict[str, Json],
    ) -> None:
        """Write down what a confirmation leads to: the intent, or another proposal."""
        body = {name: it for name, it in proposal.body.items() if name not in _OF_PROPOSAL}
        if skill.version == proposal.body["version"]:
            entry: Entry = ("intent", body | {"decision": decision})
            status = self.hold.transcript.status_besides(intent.label)
        else:
            handed = skill.handed(self.hold.claim.metadata)
            kind, proposed = propose(
                body | {"effect": skill.effect, "metadata": handed},
                skill,
                task_id=self.hold.task_id,
                user=proposal.body["user"],
                expires=self.deadline.at,
            )
            why = f"the code of {skill.name} has changed since it was proposed"
            entry = (kind, proposed | {"instead_of": decision | {"why": why}})
            status = "waiting"
        await self.hold.append(entry, status=status)


def _rejected(decision: dict[str, Json]) -> dict[str, Json]:
    reason = decision.get("reason") or "none was given"
    message = f"The user rejected this call, and it was not run. Reason: {reason}"
    error: Json = {"type": "rejected", "message": message}
    return {"status": "rejected", "error": error, "decision": decision}
