"""Bringing all tables at a place up to date: ours, and the engine's."""

from __future__ import annotations

from dataclasses import dataclass

from lampwork import engine
from lampwork.place import Folder, Place
from lampwork.store.database import migrate_database
from lampwork.store.migrations import HEAD

__all__ = ["Migrated", "migrate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What tables were found, and what they are now. Of none it says None."""

    before: str | None
    now: str | None
    engine_before: int | None
    engine_now: int | None

    @property
    def changed(self) -> bool:
        """Whether anything was to do."""
        return (self.before, self.engine_before) != (self.now, self.engine_now)


def migrate(place: Place) -> Migrated:
    """Bring the tables up to date, and on a server make them; a folder's are made with its first
    job.

    Workers of the version before may go on meanwhile. Blocks. Raises DatabaseTooNew,
    DatabaseNotSupported, DatabaseNotWritable, FolderNotWritable, StoreUnavailable.
    """
    if isinstance(place, Folder):
        return _migrate_folder(place)
    before = migrate_database(place)
    engine_before, engine_now = engine.migrate_tables(place)
    return Migrated(
        before=before,
        now=HEAD,
        engine_before=engine_before or None,
        engine_now=engine_now,
    )


def _migrate_folder(place: Folder) -> Migrated:
    has_jobs = (place.path / "lampwork.db").exists()
    before = migrate_database(place) if has_jobs else None
    # Not made where there is none: with the file what jobs have done would be gone, see doctor/.
    revisions = engine.migrate_tables(place) if (place.path / "engine.db").exists() else None
    engine_before, engine_now = revisions or (None, None)
    return Migrated(
        before=before,
        now=HEAD if has_jobs else None,
        engine_before=engine_before,
        engine_now=engine_now,
    )
