"""Genies as they are read: what the code says of them, and whether they are paused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lampwork.genies import eligibility
from lampwork.models.resolve import resolve
from lampwork.store.lists import queries
from lampwork.store.tasks import pauses
from lampwork.views import GenieView, PauseView, SkillView, moment

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.genies.genie import Genie
    from lampwork.genies.skill import Skill


def paused_in(connection: sa.Connection, project: str) -> Mapping[str, PauseView]:
    """The paused genies of a project, by name."""
    return {row.genie: _pause(row) for row in pauses.of_project(connection, project)}


def _pause(row: queries.Row) -> PauseView:
    return PauseView(by=row.by, at=moment(row.at), why=row.why)


def genie_views(
    genies: Sequence[Genie], paused: Mapping[str, PauseView], model: str | None
) -> tuple[GenieView, ...]:
    """What there is to know of genies; `model` stands in for each one's own."""
    return tuple(_view(genie, paused.get(genie.name), model) for genie in genies)


def _view(genie: Genie, pause: PauseView | None, model: str | None) -> GenieView:
    return GenieView(
        genie=genie.name,
        status="active" if pause is None else "paused",
        model=resolve(genie.model, model).name,
        project=genie.project.name,
        job_description=genie.job_description,
        skills=tuple(map(skill_view, genie.skills)),
        knowledge=tuple(base.name for base in genie.knowledge),
        agents=tuple(each.name for each in genie.works_through),
        obstacles=tuple(each.said for each in eligibility.obstacles(genie)),
        paused=pause,
    )


def skill_view(skill: Skill[..., object]) -> SkillView:
    """What there is to know of a skill."""
    return SkillView(
        name=skill.name,
        doc=skill.doc,
        effect=skill.effect,
        metadata=tuple(skill.metadata),
        recipe=skill.recipe,
    )
