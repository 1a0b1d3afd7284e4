"""`lampwork restore DIR`: the state as a backup has it, with all that may be newer asked for."""

from __future__ import annotations

from pathlib import Path

import click

from lampwork.cli import output, restored
from lampwork.cli.options import Options, examples, me, shared


@click.command(
    "restore",
    epilog=examples(
        "lampwork restore backups/2026-11-20", "lampwork restore backups/2026-11-20 --replace"
    ),
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--replace", is_flag=True, help="Put what is in the folder of the state aside.")
@shared
def command(folder: Path, replace: bool, options: Options) -> int:
    """Restore the backup DIR into the folder of the state, where nobody executes.

    What was done after the backup is not known then. Jobs that had not ended go on, with the same
    keys; an effect that may happen at most once is asked for first.
    """
    from lampwork.upkeep import restore

    done = restore.restore(folder, options.settings.place, by=me(), replace=replace)
    if done.replaced is not None and not options.as_json:
        output.say(f"What was there is in {done.replaced} now.")
    return restored.say(options, done)
