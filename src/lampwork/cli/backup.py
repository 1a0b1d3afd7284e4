"""`lampwork backup DIR`: a copy of the state that can be restored, while work goes on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.reading import place_to_read
from lampwork.views import to_json


@click.command("backup", epilog=examples("lampwork backup backups/2026-11-20"))
@click.argument("to", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@shared
def command(to: Path, options: Options) -> int:
    """Back the folder of the state up into a new folder DIR, and verify it.

    Whoever executes goes on: the backup shows both databases as they are at one moment.
    """
    from lampwork.upkeep import backup

    made = backup.make(place_to_read(options), to)
    made_at = datetime.fromtimestamp(made.made_at, UTC)
    if options.as_json:
        output.say_json(to_json(asdict(made) | {"made_at": made_at, "dir": str(to)}))
        return 0
    output.say(f"Backed up as of {output.local(made_at)}, and verified: {to}")
    output.say(f"Bring it back: {options.to_type('restore', str(to))}")
    return 0
