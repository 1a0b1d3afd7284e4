"""What keeps Lampwork from working on this machine, in this folder, with this project.

Nothing is created, migrated, executed or mended. It only looks, and says what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lampwork.doctor.code import in_code
from lampwork.doctor.diagnosis import Diagnosis, State, ok, problem, warning
from lampwork.doctor.folder import in_folder, left_behind
from lampwork.doctor.machine import on_machine
from lampwork.doctor.models import of_models
from lampwork.doctor.server import on_server
from lampwork.place import Folder

if TYPE_CHECKING:
    from lampwork.project import Project
    from lampwork.settings import Settings

__all__ = ["Diagnosis", "State", "examine", "ok", "problem", "warning"]


async def examine(
    project: Project | None, settings: Settings, *, worker: str, check: str, ask: bool
) -> list[Diagnosis]:
    """All that was looked at; without a project, its code and its models are not.

    `worker` and `check` are the commands to execute jobs here and to check the project. With `ask`
    each model gets a small request.
    """
    models = asyncio.create_task(of_models(project, settings, ask=ask))
    found = await asyncio.to_thread(_list, on_machine)
    if isinstance(settings.place, Folder):
        found += await asyncio.to_thread(in_folder, settings.place.path, worker)
    else:
        found.append(await asyncio.to_thread(on_server, settings.place))
        found += await asyncio.to_thread(_list, lambda: left_behind(settings.home))
    if project is not None:
        found += in_code(project, check)
    return found + await models


def _list(look: Callable[[], Iterator[Diagnosis]]) -> list[Diagnosis]:
    return list(look())
