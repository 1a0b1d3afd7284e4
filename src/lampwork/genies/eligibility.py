"""Who can take tasks in the background, where no user is there to be asked or to be acted for.

It is judged on the skills that a genie has, not on those that it calls.
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

__all__ = ["Obstacle", "in_words", "mend", "not_eligible", "obstacles", "warn_of_ineligible"]

_log = logging.getLogger("lampwork.genies.genie")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A skill that a genie has, and why it keeps the genie from tasks in the background."""

    skill: str
    why: str
    is_knowledge: bool = False
    """Whether a task that makes do with public documents may have it."""


def obstacles(genie: Genie, *, public_only: bool = False) -> tuple[Obstacle, ...]:
    """What keeps a genie from tasks in the background; nothing if it can take them.

    `public_only` says that public documents are enough.
    """
    found = [Obstacle(skill.name, why) for skill in genie.skills for why in _reasons(skill)]
    if not public_only:
        found += [
            Obstacle(
                base.skill.name,
                f'searches knowledge "{base.name}", which depends on who asks',
                is_knowledge=True,
            )
            for base in genie.knowledge
            if base.permissioned
        ]
    return tuple(found)


def _reasons(skill: Skill[..., Any]) -> Iterator[str]:
    if skill.as_user is not None:
        yield f"acts as a verified user ({skill.as_user})"
    if skill.confirm:
        yield "needs the confirmation of its user"
    if skill.approval:
        yield f"needs an approval by {' or '.join(skill.approval)}"


def in_words(genie: Genie, found: Iterable[Obstacle]) -> str:
    """The sentence that says so, naming each skill and why."""
    listed = "; ".join(f'skill "{each.skill}" {each.why}' for each in found)
    return f'"{genie.name}" can\'t take background tasks: {listed}.'


def mend(found: Sequence[Obstacle]) -> str:
    """What to do about it."""
    knowledge = 'pass knowledge="public_only" if public documents are enough'
    if all(each.is_knowledge for each in found):
        return f"Assign the task to a genie without it, or {knowledge}."
    also = f", and {knowledge}" if any(each.is_knowledge for each in found) else ""
    return f"Assign the task to a genie without these skills{also}."


def not_eligible(genie: Genie, *, public_only: bool) -> GenieNotEligible | None:
    """Why the genie can't take a task in the background; None if it can."""
    found = obstacles(genie, public_only=public_only)
    if not found:
        return None
    return GenieNotEligible(
        f"{in_words(genie, found)} {mend(found)}",
        reasons=[{"skill": each.skill, "why": each.why} for each in found],
    )


def warn_of_ineligible(genies: Iterable[Genie]) -> None:
    """Log which genies would refuse every task in the background, whatever it makes do with."""
    for genie in genies:
        if obstacles(genie, public_only=True):
            why = in_words(genie, obstacles(genie))
            _log.warning(why, extra={"event": "genie.not_eligible"})
