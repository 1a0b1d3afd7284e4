"""Verbs that only read: they make no folder, and need none to say that there is nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from lampwork.cli.options import Options
from lampwork.insights import Insights

T = TypeVar("T")


async def reading(options: Options, read: Callable[[Insights], Awaitable[T]]) -> T | None:
    """What `read` returns; None where nothing was ever written.

    Raises BadParameter for a --home that does not exist.
    """
    home = options.settings.home
    if options.home is not None and not home.exists():
        raise click.BadParameter(f"there is no folder {home}", param_hint="--home")
    if not (home / "lampwork.db").exists():
        return None
    async with Insights.opened(home) as insights:
        return await read(insights)
