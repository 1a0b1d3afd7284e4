"""Brings our tables up to date, by the revisions in `versions/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lampwork.errors import DatabaseTooNew

if TYPE_CHECKING:
    import sqlalchemy as sa

HEAD = "0008"


def check_known(found: str | None, where: object, otherwise: str) -> None:
    """Raise DatabaseTooNew if the tables are of a revision that is not known here."""
    if found is None or is_known(found):
        return
    raise DatabaseTooNew(
        f"{where} was written by a newer Lampwork (revision {found}; this one knows {HEAD}). "
        f"Install that version, or {otherwise}."
    )


def is_known(revision: str) -> bool:
    """Whether this Lampwork has, or has had, such tables."""
    versions = Path(__file__).parent / "versions"
    return any(file.name.startswith(revision) for file in versions.glob("*.py"))


def upgrade(connection: sa.Connection) -> None:
    """Apply the revisions that are missing, inside a transaction that the caller has begun."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
