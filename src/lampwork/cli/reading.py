"""Verbs that only read: they make no folder, and need none to say that there is nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from lampwork.cli.options import Options
from lampwork.insights import GenieView, Insights
from lampwork.insights.genies import genie_views

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie

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


async def views_of(options: Options, genies: Sequence[Genie]) -> tuple[GenieView, ...]:
    """Genies of a project; where nothing was ever written none is paused."""

    async def read(insights: Insights) -> tuple[GenieView, ...]:
        return await insights.genies(genies, options.settings.model)

    found = await reading(options, read)
    return genie_views(genies, {}, options.settings.model) if found is None else found
