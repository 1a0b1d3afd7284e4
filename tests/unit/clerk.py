"""A clerk, its skills, and what they did to the world: what the tests of tasks share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from lampwork.models import (
    Answer,
    Call,
    Calls,
    Turn,
    playbook,
)


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]
    reason: str


VERDICT = Verdict(status="approved", reason="it matches")


@dataclass
class Effects:
    """What reached the world: every act with its key."""

    acts: list[tuple[str, str]] = field(default_factory=list)

    def of(self, name: str) -> list[str]:
        return [key for act, key in self.acts if act == name]


def genie_of(desk, model: Any, skills: Any = (), name: str = "clerk"):
    return desk.project.genie(name, model=model, job_description="You check.", skills=skills)


@playbook
def thorough(turn: Turn):
    """Looks up and approves side by side, pays, answers."""
    match turn.number:
        case 1:
            return Calls(Call("look_up", order="PO-7"), Call("approve", note="matches"))
        case 2:
            return Call("pay", amount=100)
        case _:
            return Answer(VERDICT)


METADATA = {"invoice_id": "INV-1"}


@playbook
def payer(turn: Turn):
    if turn.number == 1:
        return Call("pay", amount=1)
    result = turn.results[-1]
    return Answer(result.error or str(result.value))
