"""Recipes of which only so many jobs run at a time: who may begin, and who must wait for whom.

A job of such a recipe has a place from when it is accepted, and holds it from when it begins: until
it has ended where jobs are to run in their order, else until it is parked. Every function runs
inside one transaction.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lampwork.errors import OrderCycle
from lampwork.store.jobs import cycles, inbox
from lampwork.store.schema import jobs, limits, places, waits
from lampwork.types import ENDED

__all__ = [
    "enter",
    "enter_to_start",
    "free_places",
    "join",
    "mended",
    "redo",
    "require_no_cycle",
    "step_out",
    "to_wake",
]

_of_recipe = sa.and_(
    places.c.project == sa.bindparam("project"),
    places.c.kind == "recipe",
    places.c.name == sa.bindparam("recipe"),
)
_place_of = sa.select(places).where(places.c.holder == sa.bindparam("job"))
_limit_of = sa.select(limits).where(
    limits.c.project == sa.bindparam("project"),
    limits.c.kind == "recipe",
    limits.c.name == sa.bindparam("recipe"),
)
_limited = sa.select(limits.c.name).where(
    limits.c.project == sa.bindparam("project"), limits.c.kind == "recipe"
)
_held = sa.select(sa.func.count()).where(_of_recipe, places.c.held.is_(True))
_first = sa.select(places).where(_of_recipe).order_by(places.c.id).limit(1)
_hold = sa.update(places).where(places.c.id == sa.bindparam("place")).values(held=True)
_is_limited = sa.and_(
    limits.c.project == jobs.c.project, limits.c.kind == "recipe", limits.c.name == jobs.c.callable
)
_COLUMNS = ["project", "kind", "name", "holder", "job_id", "held"]
_limited_jobs = (
    sa.select(
        jobs.c.project, sa.literal("recipe"), jobs.c.callable, jobs.c.id, jobs.c.id, sa.false()
    )
    .join(limits, _is_limited)
    .order_by(jobs.c.created_at, jobs.c.parent_call, jobs.c.position, jobs.c.id)
)
_join = insert(places).from_select(
    _COLUMNS,
    _limited_jobs.where(
        jobs.c.id.in_(sa.bindparam("jobs", expanding=True)), jobs.c.status == "queued"
    ),
)
_join = _join.on_conflict_do_nothing()


def join(connection: sa.Connection, new: Sequence[tuple[str, str, str]]) -> None:
    """Those of these new jobs, by id, project and recipe, that are limited stand in their lines."""
    limited = set(connection.execute(_limited, {"project": new[0][1]}).scalars())
    if limited and (ids := [job_id for job_id, _, recipe in new if recipe in limited]):
        connection.execute(_join, {"jobs": ids})


def enter(connection: sa.Connection, job_id: str) -> bool:
    """Whether a job may run now: it holds its place from here on, if its recipe is limited."""
    place = connection.execute(_place_of, {"job": job_id}).first()
    if place is None or place.held:
        return True
    of_recipe = {"project": place.project, "recipe": place.name}
    limit = connection.execute(_limit_of, of_recipe).first()
    if limit is not None and limit.ordered:
        free = connection.execute(_first, of_recipe).one().id == place.id
    else:
        free = limit is None or connection.execute(_held, of_recipe).scalar_one() < limit.most
    if free:
        connection.execute(_hold, {"place": place.id})
    return free


def enter_to_start(connection: sa.Connection, job_id: str) -> bool:
    """As `enter`, for a job that is handed out; False if it is not meant to run.

    A parent that goes on hands out again what it has begun, also children that are parked.
    """
    want = connection.execute(sa.select(jobs.c.want).where(jobs.c.id == job_id)).scalar()
    return want == "run" and enter(connection, job_id)


def free_places(connection: sa.Connection, project: str, recipe: str) -> int | None:
    """How many more jobs of a recipe may begin now; None if it has no limit."""
    of_recipe = {"project": project, "recipe": recipe}
    limit = connection.execute(_limit_of, of_recipe).first()
    return None if limit is None else limit.most - connection.execute(_held, of_recipe).scalar_one()


def step_out(connection: sa.Connection, job_id: str) -> bool:
    """A job is parked, or waits for a person to mend it: its place is another's, if that may be.

    It keeps its number in the line. Returns whether a place has got free.
    """
    in_order = sa.select(limits.c.name).where(
        limits.c.project == places.c.project,
        limits.c.kind == "recipe",
        limits.c.name == places.c.name,
        limits.c.ordered.is_(True),
    )
    left = connection.execute(
        sa.update(places)
        .where(places.c.holder == job_id, places.c.held.is_(True), ~sa.exists(in_order))
        .values(held=False)
    )
    return left.rowcount > 0


def to_wake(connection: sa.Connection, project: str) -> list[str]:
    """Parked jobs of limited recipes that would get on, and for which there is a place now."""
    is_parked = (waits.c.parked.is_(True), waits.c.answered.is_(True))
    answered = sa.exists().where(waits.c.job_id == jobs.c.id, *is_parked)
    found: list[str] = []
    for limit in connection.execute(
        sa.select(limits).where(
            limits.c.project == project, limits.c.kind == "recipe", limits.c.ordered.is_(False)
        )
    ).all():
        free = free_places(connection, project, limit.name) or 0
        if free <= 0:
            continue
        query = (
            sa.select(jobs.c.id)
            .join(places, places.c.holder == jobs.c.id)
            .where(_of_recipe, places.c.held.is_(False), jobs.c.want == "parked", answered)
            .order_by(places.c.id)
        )
        of_recipe = {"project": project, "recipe": limit.name}
        in_line = connection.execute(query, of_recipe).scalars().all()
        # One that needs more answers than it has would stay where it is, and take nobody's turn.
        movable = (job_id for job_id in in_line if inbox.can_move(connection, job_id))
        found += itertools.islice(movable, free)
    return found


def mended(connection: sa.Connection, project: str) -> list[str]:
    """Jobs of limited recipes that go on with no place: when a person let them, there was none."""
    query = (
        sa.select(jobs.c.id)
        .join(places, places.c.holder == jobs.c.id)
        .where(
            places.c.project == project,
            places.c.kind == "recipe",
            places.c.held.is_(False),
            jobs.c.want == "run",
            jobs.c.status == "suspended",
        )
        .order_by(places.c.id)
    )
    return list(connection.execute(query).scalars())


def redo(connection: sa.Connection, project: str) -> None:
    """The limits of a project have changed: its unfinished jobs have places by those of now."""
    of_project = sa.and_(places.c.project == project, places.c.kind == "recipe")
    limited = sa.select(limits.c.name).where(limits.c.project == project, limits.c.kind == "recipe")
    connection.execute(sa.delete(places).where(of_project, places.c.name.not_in(limited)))
    unfinished = _limited_jobs.where(jobs.c.project == project, jobs.c.status.not_in(ENDED))
    joined = insert(places).from_select(_COLUMNS, unfinished).on_conflict_do_nothing()
    connection.execute(joined)
    begun = sa.select(jobs.c.id).where(
        jobs.c.project == project, jobs.c.want == "run", jobs.c.started_at.is_not(None)
    )
    connection.execute(
        sa.update(places).where(of_project, places.c.holder.in_(begun)).values(held=True)
    )


def require_no_cycle(connection: sa.Connection, job_ids: Collection[str]) -> None:
    """Raise OrderCycle if one of these new jobs would wait for one that waits for it.

    A job of a recipe that keeps order begins when those before it have ended; one of them may be
    above it, or wait for it in turn.
    """
    for job_id in job_ids:
        place = connection.execute(_place_of, {"job": job_id}).first()
        if place is None:
            continue
        first = connection.execute(_first, {"project": place.project, "recipe": place.name}).one()
        if (
            first.held
            and first.id != place.id
            and cycles.waits_for(connection, first.holder, job_id)
        ):
            raise OrderCycle(
                f'Recipe "{place.name}" keeps strict order, so a job of it would begin after job '
                f"{first.holder} has ended, which waits for this very job. Start it detached with "
                "job.start(…), or share the work in a plain function that both recipes await.",
                recipe=place.name,
                job_id=first.holder,
            )
