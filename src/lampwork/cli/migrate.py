"""`lampwork migrate`: the tables of an older version are brought up to date."""

from __future__ import annotations

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import home_to_read
from lampwork.place import Folder
from lampwork.upkeep.migration import Migrated, migrate
from lampwork.views import to_json


@click.command(
    "migrate",
    epilog=examples("lampwork migrate", "lampwork migrate --db postgresql://owner@host/lampwork"),
)
@shared
def command(options: Options) -> int:
    """Bring the tables of an older version up to date; on a server, make them if there are none.

    Workers of the version before may go on meanwhile: a migration only adds, waits for nobody's
    lock longer than a second at a time, and happens as a whole or not at all. A folder is brought
    up to date by whatever opens it, too.
    """
    place = options.settings.place
    if isinstance(place, Folder):
        home_to_read(options)
    done = migrate(place)
    if options.as_json:
        output.say_json(to_json(done) | {"changed": done.changed})
    else:
        output.say(f"{place}: {_in_words(done)}")
    return 0


def _in_words(done: Migrated) -> str:
    if done.now is None:
        return "there are no tables yet; the first job makes them."
    if not done.changed:
        return f"the tables are of revision {done.now}, as they should be. Nothing was changed."
    ours = _of("its tables", done.before, done.now)
    theirs = _of("those of the engine", done.engine_before, done.engine_now)
    return f"{', and '.join(each for each in (ours, theirs) if each)}."


def _of(tables: str, before: object, now: object) -> str | None:
    if before == now:
        return None
    if before is None:
        return f"{tables} are made, of revision {now}"
    return f"{tables} were of revision {before} and are of {now}"
