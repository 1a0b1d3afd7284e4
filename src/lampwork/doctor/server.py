"""The database on a server: whether it can be had and written to, by code of this version."""

from __future__ import annotations

from lampwork.doctor.diagnosis import Diagnosis, ok, problem
from lampwork.errors import LampworkError
from lampwork.place import Server
from lampwork.store import migrations, postgres


def on_server(place: Server) -> Diagnosis:
    """Nothing is made or changed."""
    try:
        found = postgres.revision(place)
        why_not = postgres.why_not_writable(place) if found == migrations.HEAD else None
    except LampworkError as error:
        return problem("database", error.message, "Mend that, or name another with --db.")
    if found is None:
        mend = "Type, as a role that may make them: lampwork migrate"
        return problem("database", f"{place} can be reached, and has no tables yet.", mend)
    if why_not is not None:
        mend = "Name the primary, or grant the role its rights: docs/postgres.md."
        return problem("database", f"{place}: {why_not}.", mend)
    if found == migrations.HEAD:
        return ok("database", f"{place}: tables of revision {found}, as they should be.")
    if migrations.is_known(found):
        said = f"{place}: the tables are of an older Lampwork (revision {found})."
        return problem("database", said, "Type: lampwork migrate")
    said = f"{place}: a newer Lampwork has written the tables (revision {found})."
    return problem("database", said, "Install that version, or name another database with --db.")
