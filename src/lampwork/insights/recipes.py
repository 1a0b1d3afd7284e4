"""Recipes as they are read: what the code says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from lampwork import values
from lampwork.recipe import parameters
from lampwork.types import Json
from lampwork.views import RecipeDetails, RecipeView

if TYPE_CHECKING:
    from lampwork.project import Project
    from lampwork.recipe import Recipe


def recipe_views(project: Project) -> tuple[RecipeView, ...]:
    """The recipes of a project, in the order of its code."""
    return tuple(RecipeView(**_shown(project, each)) for each in project.recipes.values())


def recipe_details(project: Project, recipe: Recipe[..., Any]) -> RecipeDetails:
    """A recipe, with what it takes and returns."""
    return RecipeDetails(
        **_shown(project, recipe),
        input_schema=_input_schema(recipe),
        output_schema=_schema(values.return_type(recipe.fn)),
    )


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
