"""`lampwork dev`: a worker that takes over what is edited."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import click

from lampwork.cli.options import Options, examples, shared

__all__ = ["command"]


@click.command("dev", epilog=examples("lampwork dev", "lampwork dev project.py --on-misfit keep"))
@click.argument("project", required=False, metavar="[PROJECT]")
@click.option(
    "--on-misfit",
    type=click.Choice(["ask", "keep", "fork", "discard"]),
    help="For jobs that new code does not fit. On a terminal you are asked, elsewhere: keep.",
)
@click.option("--triggers", is_flag=True, help="Let crons and polls fire.")
@click.option("--lifeline", "line", type=int, hidden=True, help="In a child: its lifeline.")
@click.option("--rehearse-after", type=int, hidden=True, help="In a child: jobs that are done.")
@click.option("--copied", type=Path, hidden=True, help="In a child: the copy to rehearse on.")
@click.option("--code", hidden=True, help="In a child: the code to execute.")
@click.option("--kept", is_flag=True, hidden=True, help="In a child: execute what is kept on it.")
@shared
def command(
    project: str | None,
    on_misfit: Literal["ask", "keep", "fork", "discard"] | None,
    triggers: bool,
    line: int | None,
    rehearse_after: int | None,
    copied: Path | None,
    code: str | None,
    kept: bool,
    options: Options,
) -> int:
    """Execute jobs while you edit: a worker that takes over new code when it is saved.

    Before that, every unfinished job is rehearsed with it. If it does not fit one, you are asked:
    keep the old code for it, fork it at the call that differs, discard it, or wait for another
    edit. Code that can't be imported is shown, and the old goes on. Crons and polls fire only with
    --triggers.
    """
    if options.settings.db is not None:
        raise click.UsageError(
            "dev takes a folder, because it goes back to older code in its own jobs. Name one with "
            "--home, which wins over LAMPWORK_DB."
        )
    if line is not None:
        from lampwork.cli.dev import child

        # Old bytecode is told from new by second and size, and edits may come faster than that.
        sys.dont_write_bytecode = True
        if copied is not None and rehearse_after is not None:
            return child.look(project, options, copied, line, after=rehearse_after)
        assert code is not None
        return child.work(project, options, code, line, kept=kept, triggers=triggers)

    from lampwork.cli.dev.supervisor import Manner, supervise

    is_asked = sys.stdin.isatty() and not options.as_json
    if on_misfit == "ask" and not is_asked:
        raise click.UsageError("Nobody can be asked here: --on-misfit keep, fork or discard.")
    chosen = on_misfit or ("ask" if is_asked else "keep")
    return supervise(project, options, Manner(chosen, triggers, stays=is_asked))
