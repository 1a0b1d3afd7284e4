"""What the code defines, as it is shown: recipes, genies, skills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lampwork.types import Json, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectView:
    """A project that is served."""

    project: str
    title: str
    version: str
    executes: bool
    """Whether the server executes its jobs itself."""
    role: Role | None
    """The caller's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseView:
    """That a genie takes no new tasks."""

    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillView:
    """A skill of a genie."""

    name: str
    doc: str
    effect: str
    metadata: tuple[str, ...]
    """The keys that it reads."""
    recipe: str | None
    """The recipe that a call starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFigures:
    """How the last jobs of a recipe went: those accepted in some days, of very many the newest."""

    since: datetime
    jobs: int
    """How many it is of, 500 at the most."""
    outcomes: dict[str, int]
    """How many have each status."""
    last: tuple[str, ...]
    """The statuses of the last 20, the newest first."""
    p50: float | None
    """Seconds from beginning to end, waits included, of those that succeeded: the median."""
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeView:
    """A recipe of a project."""

    recipe: str
    doc: str
    project: str
    triggers: tuple[str, ...]
    """Their names, as `lampwork triggers` lists them."""
    concurrency: int | None
    """How many of its jobs run at a time."""
    ordered: bool
    figures: RecipeFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeDetails(RecipeView):
    """All of a recipe."""

    input_schema: dict[str, Json] | None
    """The JSON Schema of its input, if its types have one."""
    output_schema: dict[str, Json] | None
    """That of what it returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenieView:
    """A genie of a project."""

    genie: str
    status: Literal["active", "paused"]
    model: str
    project: str
    job_description: str
    skills: tuple[SkillView, ...]
    knowledge: tuple[str, ...]
    agents: tuple[str, ...]
    """Of an orchestrator: whose background tasks do its work, its judge among them."""
    obstacles: tuple[str, ...]
    """What keeps it from tasks in the background, if anything does."""
    paused: PauseView | None
