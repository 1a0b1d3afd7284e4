"""Metadata as it is typed: KEY=VALUE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lampwork.cli import output

if TYPE_CHECKING:
    from lampwork.genies.genie import Genie


def texts_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """The texts by their keys. Raises BadParameter."""
    texts: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f'"{pair}" is not KEY=VALUE', param_hint="--metadata")
        if key in texts:
            raise click.BadParameter(
                f'"{key}" is given twice', param_hint="--metadata and --sealed"
            )
        texts[key] = value
    return texts


def warn_of_withheld(genie: Genie, texts: dict[str, Any]) -> None:
    """Say which skills the genie lacks without more metadata, and why."""
    from lampwork.metadata import withheld

    if lacking := withheld(genie.skills, texts):
        listed = ", ".join(f"{skill} ({why})" for skill, why in lacking.items())
        output.warn(f"withheld: {listed}")
