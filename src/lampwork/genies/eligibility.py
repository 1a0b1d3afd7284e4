"""Who can take tasks in the background, where no user is there to be asked or to be acted for.

In a chat a user is there, who can confirm and for whom knowledge is searched. It is judged on the
skills that a genie has, not on those that it calls.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampwork.errors import GenieNotEligible

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie
    from lampwork.genies.skill import Skill

__all__ = [
    "Obstacle",
    "in_words",
    "mend",
    "not_eligible",
    "obstacles",
    "obstacles_to_chat",
    "warn_of_ineligible",
]

_log = logging.getLogger("lampwork.genies.genie")


_NOT_BUILT = (
    "Lampwork has no approvals and no verified user access yet. "
    "Talk to a genie without these skills."
)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A skill that a genie has, and why it keeps the genie from tasks in the background."""

    skill: str
    why: str
    agent: str | None = None
    """Whose it is, where that is one whom an orchestrator has work for it."""
    is_knowledge: bool = False
    """Whether a task that makes do with public documents may have it."""
    takes_user: bool = False
    """Whether it is none where a user is there."""

    @property
    def said(self) -> str:
        """It, in words."""
        whose = "" if self.agent is None else f' of its agent "{self.agent}"'
        return f'skill "{self.skill}"{whose} {self.why}'


def obstacles(genie: Genie, *, public_only: bool = False) -> tuple[Obstacle, ...]:
    """What keeps a genie from tasks in the background; nothing if it can take them.

    `public_only` says that public documents are enough.
    """
    found = [each for skill in genie.skills for each in _obstacles(skill)]
    if not public_only:
        found += [
            Obstacle(
                base.skill.name,
                f'searches knowledge "{base.name}", which depends on who asks',
                is_knowledge=True,
                takes_user=True,
            )
            for base in genie.knowledge
            if base.permissioned
        ]
    return (*found, *_of_agents(genie))


def _of_agents(genie: Genie) -> Iterator[Obstacle]:
    """What keeps those from it whose background tasks do the genie's work, wherever it is asked."""
    for agent in genie.works_through:
        for each in obstacles(agent):
            below = "" if each.agent is None else f".{each.agent}"
            yield Obstacle(each.skill, each.why, agent=f"{agent.name}{below}")


def _obstacles(skill: Skill[..., Any]) -> Iterator[Obstacle]:
    if skill.as_user is not None:
        yield Obstacle(skill.name, f"acts as a verified user ({skill.as_user})")
    if skill.confirm:
        yield Obstacle(skill.name, "needs the confirmation of its user", takes_user=True)
    if skill.approval:
        yield Obstacle(skill.name, f"needs an approval by {' or '.join(skill.approval)}")


def obstacles_to_chat(genie: Genie) -> tuple[Obstacle, ...]:
    """What keeps a genie from talking with a user; nothing if it can."""
    return tuple(each for each in obstacles(genie) if not each.takes_user)


def in_words(genie: Genie, found: Iterable[Obstacle], *, chat: bool = False) -> str:
    """The sentence that says so, naming each skill and why."""
    listed = "; ".join(each.said for each in found)
    what = "be talked to" if chat else "take background tasks"
    return f'"{genie.name}" can\'t {what}: {listed}.'


def mend(found: Sequence[Obstacle]) -> str:
    """What to do about it."""
    if all(each.agent is not None for each in found):
        return "Give it agents without these skills."
    knowledge = 'pass knowledge="public_only" if public documents are enough'
    if all(each.is_knowledge for each in found):
        return f"Assign the task to a genie without it, or {knowledge}."
    also = f", and {knowledge}" if any(each.is_knowledge for each in found) else ""
    return f"Assign the task to a genie without these skills{also}."


def not_eligible(genie: Genie, *, public_only: bool, chat: bool) -> GenieNotEligible | None:
    """Why the genie can't take a task in the background, or in a `chat`; None if it can."""
    found = obstacles_to_chat(genie) if chat else obstacles(genie, public_only=public_only)
    if not found:
        return None
    do = _NOT_BUILT if chat and not any(each.agent for each in found) else mend(found)
    return GenieNotEligible(
        f"{in_words(genie, found, chat=chat)} {do}",
        reasons=[_reason(each) for each in found],
    )


def _reason(of: Obstacle) -> dict[str, str]:
    reason = {"skill": of.skill, "why": of.why}
    return reason if of.agent is None else reason | {"agent": of.agent}


def warn_of_ineligible(genies: Iterable[Genie]) -> None:
    """Log which genies would refuse every task in the background, whatever it makes do with.

    It is no warning where they can be talked to.
    """
    for genie in genies:
        if obstacles(genie, public_only=True):
            why = in_words(genie, obstacles(genie))
            level = logging.WARNING if obstacles_to_chat(genie) else logging.INFO
            _log.log(level, why, extra={"event": "genie.not_eligible", "genie": genie.name})
