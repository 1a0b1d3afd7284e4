"""Recipes as they are read: what the code says of them, and how their jobs went."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from lampwork import clock, values
from lampwork.recipe import parameters
from lampwork.store.lists import outcomes
from lampwork.types import Json
from lampwork.views import RecipeDetails, RecipeFigures, RecipeView, moment

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lampwork.project import Project
    from lampwork.recipe import Recipe


_MOST = 500
"""Jobs of a recipe that its figures are of: reading them takes a few milliseconds."""

_LAST = 20


def recipe_views(connection: sa.Connection, project: Project, days: float) -> list[RecipeView]:
    """The recipes of a project, in the order of its code."""
    figures = _figures(connection, project, project.recipes, days)
    return [
        RecipeView(**_shown(project, each), figures=figures[each.name])
        for each in project.recipes.values()
    ]


def recipe_details(
    connection: sa.Connection, project: Project, recipe: Recipe[..., Any], days: float
) -> RecipeDetails:
    """A recipe, with what it takes and returns."""
    return RecipeDetails(
        **_shown(project, recipe),
        figures=_figures(connection, project, [recipe.name], days)[recipe.name],
        input_schema=_input_schema(recipe),
        output_schema=_schema(values.return_type(recipe.fn)),
    )


def _figures(
    connection: sa.Connection, project: Project, recipes: Iterable[str], days: float
) -> dict[str, RecipeFigures]:
    since = clock.now() - days * 86400.0
    found = outcomes.of_recipes(connection, project.name, recipes, since, _MOST)
    return {name: _of_jobs(rows, since) for name, rows in found.items()}


def _of_jobs(rows: Sequence[Any], since: float) -> RecipeFigures:
    took = sorted(
        each.ended_at - each.started_at
        for each in rows
        if each.status == "succeeded" and each.started_at is not None
    )
    return RecipeFigures(
        since=moment(since),
        jobs=len(rows),
        outcomes=dict(Counter(each.status for each in rows)),
        last=tuple(each.status for each in rows[:_LAST]),
        p50=_percentile(took, 50),
        p95=_percentile(took, 95),
    )


def _percentile(took: Sequence[float], rank: int) -> float | None:
    """The smallest that so many of a hundred do not exceed."""
    return took[math.ceil(len(took) * rank / 100) - 1] if took else None


def _shown(project: Project, recipe: Recipe[..., Any]) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "doc": recipe.doc,
        "project": project.name,
        "triggers": tuple(each.short_name for each in recipe.triggers),
        "concurrency": recipe.concurrency,
        "ordered": recipe.ordered,
    }


def _input_schema(recipe: Recipe[..., Any]) -> dict[str, Json] | None:
    types = values.parameter_types(recipe.fn)
    fields: dict[str, Any] = {
        name: (types.get(name, Any), ... if each.default is each.empty else each.default)
        for name, each in parameters(recipe.fn).parameters.items()
    }
    return _schema(create_model(recipe.name, **fields))


def _schema(annotation: Any) -> dict[str, Json] | None:
    if annotation is values.UNTYPED:
        return {}
    try:
        return TypeAdapter(annotation).json_schema()
    except (PydanticUserError, PydanticInvalidForJsonSchema):
        return None
