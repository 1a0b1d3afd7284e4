"""Skills that a recipe itself calls: as a step, and what it takes for a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lampwork import recipe
from lampwork.errors import InputInvalid
from lampwork.genies.skill import Skill
from lampwork.runs.step import Options

__all__ = ["as_step", "require_recipe"]


def as_step(fn: Callable[..., Any], options: Options | None) -> tuple[Callable[..., Any], Options]:
    """What a step runs, and how: of a skill its function, with its effect, timeout and retry.

    Raises InputInvalid for a skill that only a genie can call.
    """
    given = options or Options()
    if not isinstance(fn, Skill):
        return fn, given
    if fn.contract.is_recipe:
        raise InputInvalid(
            f'Skill "{fn.name}" is a recipe, and a step can\'t run one. Define it with '
            "@project.recipe(), which a genie takes among its skills too, and use job.call."
        )
    if fn.contract.call is not None:
        raise InputInvalid(
            f'Skill "{fn.name}" takes a SkillCall, which only a genie\'s call has. Put what it '
            "does into a function that takes the key, and call that from both: with "
            "call.idempotency_key there, and with job.step_key() in a step."
        )
    return fn.fn, replace(
        given,
        effect=given.effect or fn.effect,
        timeout=given.timeout or fn.timeout,
        retry=given.retry or fn.retry,
        name=given.name or fn.name,
    ).checked()


def require_recipe(given: Any, verb: str) -> None:
    """Raise InputInvalid for what is no recipe, and say what to do instead."""
    if not isinstance(given, Skill):
        recipe.require_recipe(given, verb)
        return
    mend = "In a recipe, run it with job.step."
    if given.contract.is_recipe:
        mend = "Define it with @project.recipe(): a genie takes that among its skills too."
    raise InputInvalid(f'{verb} takes a recipe, and "{given.name}" is a skill. {mend}')
