"""Jobs that are kept on older code: the root of their tree names it, and no other executes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from lampwork.store.schema import jobs, waits
from lampwork.types import ENDED

_roots = jobs.alias("roots")
_kept_roots = sa.select(_roots.c.id).where(_roots.c.kept_code.is_not(None))


def on_code(code: str | None) -> sa.ColumnElement[bool]:
    """The condition of a query of `jobs`: those of this code; None is code that keeps no jobs."""
    if code is None:
        return jobs.c.root_id.not_in(_kept_roots)
    return jobs.c.root_id.in_(_kept_roots.where(_roots.c.kept_code == code))


def code_of(connection: sa.Connection, row: sa.Row[tuple[object, ...]]) -> str | None:
    """The code that a job is kept on, if it is."""
    if row.id == row.root_id:
        return row.kept_code
    query = sa.select(jobs.c.kept_code).where(jobs.c.id == row.root_id)
    return connection.execute(query).scalar()


def keep(connection: sa.Connection, root_ids: Iterable[str], code: str) -> None:
    """Keep whole trees on this code."""
    connection.execute(sa.update(jobs).where(jobs.c.id.in_(list(root_ids))).values(kept_code=code))


def release(connection: sa.Connection, root_id: str) -> None:
    """Let a tree go on with the code of today."""
    connection.execute(sa.update(jobs).where(jobs.c.id == root_id).values(kept_code=None))


def release_all(connection: sa.Connection, project: str, code: str) -> None:
    """This code is the one of today again: nothing has to be kept on it."""
    kept = sa.and_(jobs.c.kept_code == code, jobs.c.project == project)
    connection.execute(sa.update(jobs).where(kept).values(kept_code=None))


def in_use(connection: sa.Connection) -> set[str]:
    """The code that unfinished jobs are kept on."""
    query = (
        sa.select(_roots.c.kept_code)
        .join(jobs, jobs.c.root_id == _roots.c.id)
        .where(_roots.c.kept_code.is_not(None), jobs.c.status.not_in(ENDED))
        .distinct()
    )
    return set(connection.execute(query).scalars())


def unfinished(connection: sa.Connection, project: str) -> Sequence[str]:
    """The roots of the trees of a project that are kept and have not ended."""
    query = (
        sa.select(_roots.c.id)
        .join(jobs, jobs.c.root_id == _roots.c.id)
        .where(
            _roots.c.kept_code.is_not(None),
            jobs.c.project == project,
            jobs.c.status.not_in(ENDED),
        )
        .distinct()
    )
    return connection.execute(query).scalars().all()


def movable(connection: sa.Connection, project: str) -> dict[str, str]:
    """By id, the code of the kept jobs of a project that could go on if it executed now."""
    is_parked = (waits.c.parked.is_(True), waits.c.answered.is_(True))
    answered = sa.exists().where(waits.c.job_id == jobs.c.id, *is_parked)
    query = (
        sa.select(jobs.c.id, _roots.c.kept_code)
        .join(_roots, _roots.c.id == jobs.c.root_id)
        .where(
            _roots.c.kept_code.is_not(None),
            jobs.c.project == project,
            jobs.c.status.not_in(ENDED),
            sa.or_(jobs.c.want == "run", sa.and_(jobs.c.want == "parked", answered)),
        )
        .order_by(jobs.c.changed_at)
    )
    return {row.id: row.kept_code for row in connection.execute(query)}
