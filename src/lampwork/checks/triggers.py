"""Polls whose items can't fill the recipe that they start, as far as the annotations say it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import is_typeddict

from lampwork import values
from lampwork.checks.finding import Finding
from lampwork.checks.source import place
from lampwork.errors import ResultNotRecordable
from lampwork.recipe import parameters
from lampwork.triggers.trigger import Poll

if TYPE_CHECKING:
    from lampwork.project import Project
    from lampwork.recipe import Recipe

__all__ = ["in_project"]


def in_project(project: Project) -> Iterator[Finding]:
    """Findings in the triggers of recipes. What can be refused at once is, at the definition."""
    for recipe in project.recipes.values():
        for trigger in recipe.triggers:
            if isinstance(trigger, Poll) and (problem := _misfit(recipe, trigger)):
                yield Finding(
                    code="poll_does_not_fit",
                    severity="warning",
                    message=f'The items of "{trigger.identity}" can\'t start recipe '
                    f'"{recipe.name}": {problem}. Each would be rejected.',
                    mend="Change what the function returns, or what the recipe takes.",
                    **place(recipe.fn),
                )


def _misfit(recipe: Recipe[..., Any], poll: Poll) -> str | None:
    item = _item_type(poll)
    if item is None:
        return None
    fields = _fields(item)
    if fields is not None and isinstance(poll.key, str) and poll.key not in fields:
        return f'{_named(item)} has no field "{poll.key}", which is to be its key'
    takes = parameters(recipe.fn).parameters
    types = values.parameter_types(recipe.fn)
    required = [name for name, each in takes.items() if each.default is inspect.Parameter.empty]
    if len(takes) == 1:
        return _one_misfit(item, fields, types.get(next(iter(takes)), Any))
    if fields is None:
        return None
    lacking = [name for name in required if name not in fields]
    return f"{_named(item)} has no {', '.join(lacking)}" if lacking else None


def _one_misfit(item: Any, fields: Mapping[str, bool] | None, wanted: Any) -> str | None:
    """Why an item does not fit the recipe's only parameter."""
    takes = _fields(wanted)
    if takes is not None and fields is not None:
        lacking = [name for name, required in takes.items() if required and name not in fields]
        if lacking:
            return f"{_named(item)} has no {', '.join(lacking)}, which {_named(wanted)} needs"
    plain = (str, int, float, bool)
    if (fields is not None and wanted in plain) or (takes is not None and item in plain):
        return f"{_named(item)} is no {_named(wanted)}"
    return None


def _item_type(poll: Poll) -> Any:
    """The type of a poll's items, where the function's annotation says it."""
    try:
        returns = values.return_type(poll.fn)
    except ResultNotRecordable:
        return None
    given = get_args(returns)
    origin = get_origin(returns)
    many = isinstance(origin, type) and hasattr(origin, "__iter__")
    return given[0] if many and len(given) == 1 else None


def _fields(of: Any) -> dict[str, bool] | None:
    """The fields of a structured type, by whether they are required; None of any other."""
    if isinstance(of, type) and issubclass(of, BaseModel):
        return {each.alias or name: each.is_required() for name, each in of.model_fields.items()}
    if isinstance(of, type) and dataclasses.is_dataclass(of):
        return {
            each.name: each.default is each.default_factory is dataclasses.MISSING
            for each in dataclasses.fields(of)
        }
    if is_typeddict(cast(Any, of)):
        required, optional = cast(Any, of).__required_keys__, cast(Any, of).__optional_keys__
        return {name: name in required for name in (*required, *optional)}
    return None


def _named(of: Any) -> str:
    return getattr(of, "__name__", str(of))
