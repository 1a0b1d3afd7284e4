"""Who calls: a person or a program, with a role in each project that it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lampwork.errors import NotFound, RoleLacking, quoted
from lampwork.types import ROLES, Role

__all__ = ["Caller", "may"]


def may(held: Role, needed: Role) -> bool:
    """Whether who has one role may do what needs another."""
    return ROLES.index(held) >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `name` goes on record as who did it."""

    name: str
    roles: Mapping[str, Role] = field(default_factory=dict[str, Role])
    """By project."""
    everywhere: Role | None = None
    """The role in each project without one above."""

    def role_in(self, project: str) -> Role | None:
        """The role in a project; None if the caller must not learn that there is one."""
        held = self.roles.get(project)
        return self.everywhere if held is None else held

    def may(self, project: str, role: Role) -> bool:
        """Whether the caller may do what needs a role in a project."""
        held = self.role_in(project)
        return held is not None and may(held, role)

    def require(self, project: str, role: Role) -> None:
        """Raise NotFound without any role in a project, RoleLacking with too small a one."""
        held = self.role_in(project)
        if held is None:
            raise NotFound(f"There is no project {quoted(project)} here.")
        if not may(held, role):
            raise RoleLacking(
                f'{self.name} is {held} in project "{project}", and this takes role {role}. '
                "Ask an admin of the project for it.",
                role=role,
            )
