"""Knowledge: documents that a genie may search, through a function of the project's own.

    hr = project.knowledge("hr", search=search_policies, permissioned=True)

The function takes the query, how many passages are wanted, and the user for whom it is asked. In a
task that runs in the background there is no user, and it gives public documents only.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lampwork.errors import SkillInvalid
from lampwork.genies.contract import SkillCall
from lampwork.genies.skill import Skill
from lampwork.runs.step import call_function

__all__ = ["Knowledge", "Passage", "Search"]

_CITE = "Each passage names its `source`: cite the sources of what you use."


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document, and what to cite it by."""

    text: str
    source: str
    url: str | None = None


Search = Callable[[str, int, str | None], Sequence[Passage] | Awaitable[Sequence[Passage]]]
"""`search(query, k, user)`: at most `k` passages that this user may read; None is the public."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """A base of documents; `project.knowledge(…)` makes it."""

    name: str
    search: Search
    permissioned: bool = False
    """Whether what is found depends on the user who asks."""
    k: int = 5
    """Passages of one search at the most."""

    @classmethod
    def define(cls, name: str, search: Search, *, permissioned: bool, k: int) -> Knowledge:
        """A base, with its search checked to take what it is given. Raises SkillInvalid."""
        knowledge = cls(name, search, permissioned, k)
        try:
            inspect.signature(search).bind("query", k, None)
        except TypeError as error:
            raise SkillInvalid(
                f'knowledge "{name}": its search can\'t be called as (query, k, user): {error}.',
                skill=f"search_{name}",
            ) from error
        if k < 1:
            raise SkillInvalid(
                f'knowledge "{name}": k={k} would never find anything.', skill=f"search_{name}"
            )
        assert knowledge.skill is not None
        return knowledge

    @property
    def doc(self) -> str:
        """What is in it and when to search it, as its search's docstring says."""
        return inspect.getdoc(self.search) or ""

    @cached_property
    def skill(self) -> Skill[Any, Any]:
        """The skill by which a genie searches it."""

        async def search(query: str, call: SkillCall) -> list[Passage]:
            found: Any = await call_function(self.search, query, self.k, call.user)
            return list(found)[: self.k]

        search.__doc__ = f"{self.doc}\n\n{_CITE}".strip()
        return Skill[Any, Any].define(search, effect="read", name=f"search_{self.name}")
