"""The children of `lampwork dev`, which alone import the project: each is a fresh interpreter."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from lampwork.app import App
from lampwork.checks import Finding
from lampwork.cli import lifeline, rehearsing
from lampwork.cli.options import Options
from lampwork.cli.project import load_from, load_with_module
from lampwork.cli.stopping import stop_signals
from lampwork.errors import LampworkError
from lampwork.insights.genies import genie_views
from lampwork.place import Folder
from lampwork.project import Project
from lampwork.versioning import kept as kept_jobs
from lampwork.versioning import sources
from lampwork.versioning.upgrade import PATIENCE

_AT_REST_AFTER = 0.2
"""Seconds after which a kept job that only waits is parked, so that the turn of its code ends."""

_LOOK_EVERY = 0.1


def copies_in(home: Path) -> Path:
    """Where the copies of loaded code lie."""
    return home / "code"


# --- a look at what was edited ---


def look(word: str | None, options: Options, copied: Path, line: int, *, after: int) -> int:
    """Import the project, copy its code, and rehearse the unfinished jobs in `copied`."""
    lifeline.hold(line)
    reading = sources.Reading()
    try:
        try:
            project, module = load_with_module(word)
        except LampworkError as error:
            folders = _folders_of(word, error)
            files = sources.digests_in(folders)
            rehearsing.tell({"loaded": {"folders": list(map(str, folders)), "files": files}})
            raise
        reading.stop()
        rehearsing.tell({"loaded": _as_loaded(project, module, options, reading.files)})
        rehearsal = rehearsing.rehearse(project, Folder(copied), after=after, patience=PATIENCE)
        asyncio.run(rehearsal)
    except LampworkError as error:
        rehearsing.tell({"error": error.to_record()})
    return 0


def _as_loaded(
    project: Project, module: ModuleType, options: Options, read: Iterable[Path]
) -> dict[str, Any]:
    settings = options.settings
    found = sources.sources_of(project.name, module, _name_of(project, module), read)
    genies = genie_views(list(project.genies.values()), {}, settings.model)
    return {
        "project": project.name,
        "file": module.__file__,
        "code": found.code,
        "is_copied": sources.copy(found, copies_in(settings.home)),
        "folders": [str(each) for each in found.folders],
        "recipes": list(project.recipes),
        "genies": {each.genie: each.model for each in genies},
        "triggers": sum(len(recipe.triggers) for recipe in project.recipes.values()),
        "findings": [
            {"severity": each.severity, "text": f"{_place(each)}{each.message} {each.mend}"}
            for each in project.check()
            if each.severity != "note"
        ],
    }


def _place(finding: Finding) -> str:
    return "" if finding.file is None else f"{Path(finding.file).name}:{finding.line}: "


def _name_of(project: Project, module: ModuleType) -> str:
    return next(name for name, value in vars(module).items() if value is project)


def _folders_of(word: str | None, error: LampworkError) -> set[Path]:
    """Where an edit may mend code that can't be imported."""
    path = Path((word or ".").partition(":")[0])
    files = [*sources.imported_files(), *_files_in(error.__cause__)]
    folders = {path.absolute().parent if path.is_file() else Path.cwd()}
    return folders | {file.parent for file in files if sources.is_own(file) and file.exists()}


def _files_in(error: BaseException | None) -> Iterator[Path]:
    """The files that an error names."""
    if isinstance(error, SyntaxError) and error.filename:
        yield Path(error.filename).absolute()
    frames = None if error is None else error.__traceback__
    while frames is not None:
        yield Path(frames.tb_frame.f_code.co_filename).absolute()
        frames = frames.tb_next


# --- at work ---


def work(
    word: str | None, options: Options, code: str, line: int, *, kept: bool, triggers: bool
) -> int:
    """Execute jobs with this code: as it is on disk, or the copy if it has been edited since.

    With `kept`, those that are kept on it, until each has ended or waits; else all others, until
    the process is told to end.
    """
    held = lifeline.hold(line)
    _log_to_stderr()
    try:
        project = _project(word, options, code)
        if project is None:
            lifeline.tell(held, edited=True)
            return 1
        asyncio.run(_work(project, options, held, code if kept else None, triggers=triggers))
    except LampworkError as error:
        lifeline.tell(held, error=error.to_record())
        return 1
    return 0


def _project(word: str | None, options: Options, code: str) -> Project | None:
    """The project with this code; None if it was edited while it was imported."""
    copies = copies_in(options.settings.home)
    found = sources.read_copy(copies, code)
    if found is None:
        raise LampworkError(f"The copy of code {code} in {copies} is gone, or was changed.")
    if not found.are_as_read():
        folder = sources.import_from_copy(copies, found)
        return load_from(folder, found.module, found.name)
    project, _ = load_with_module(word)
    return project if found.are_as_read() else None


async def _work(
    project: Project, options: Options, held: socket.socket, kept: str | None, *, triggers: bool
) -> None:
    settings = replace(options.settings, triggers=triggers and kept is None, kept_code=kept)
    if kept is not None:
        settings = replace(settings, park_after=_AT_REST_AFTER, sweep_interval=1.0)
    with stop_signals() as stopped:
        async with App.opened(project, settings) as app:
            lifeline.tell(held, ready=True)
            stopping = asyncio.create_task(stopped.wait())
            ends = [stopping]
            if kept is not None:
                ends.append(asyncio.create_task(_come_to_rest(app, kept)))
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in ends:
                each.cancel()


async def _come_to_rest(app: App, code: str) -> Literal[True]:
    """Wait until nothing that is kept on this code can go on."""
    while True:
        movable = await kept_jobs.movable(app.store, app.project.name)
        if code not in movable.values() and not app.worker.runs:
            return True
        await asyncio.sleep(_LOOK_EVERY)


def _log_to_stderr() -> None:
    """What recipes log, and what is worth a warning; jobs that need people are shown elsewhere."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    handler.addFilter(lambda record: getattr(record, "event", "") != "job.needs_attention")
    log = logging.getLogger("lampwork")
    log.addHandler(handler)
    log.setLevel(logging.WARNING)
    logging.getLogger("lampwork.recipe").setLevel(logging.INFO)
