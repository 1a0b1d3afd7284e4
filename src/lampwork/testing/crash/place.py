"""Where a definition is found again by another process: a module, and a name in it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from lampwork.errors import NotImportable
from lampwork.project import Project
from lampwork.recipe import Recipe

__all__ = ["Place", "load_module", "place_of", "project_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """A module, by its name and its file, and a name at its top."""

    module: str
    file: str | None
    name: str

    def load(self) -> Any:
        """What stands there. Raises NotImportable."""
        found = getattr(load_module(self.module, self.file), self.name, None)
        if found is None:
            raise NotImportable(f"{self.module} has no {self.name} in another process.")
        return found


def load_module(name: str, file: str | None) -> ModuleType:
    """A module as another process had it: by its name, or under its name from its file.

    Test runners import tests under names that nobody else finds. Raises NotImportable.
    """
    try:
        module = importlib.import_module(name)
        if file is None or module.__file__ == file:
            return module
    except ImportError as error:
        if file is None:
            raise NotImportable(f"{name} can't be imported: {error}") from error
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project_of(recipe: Recipe[..., Any]) -> Project:
    """The project that defines a recipe. Raises NotImportable."""
    for _, value in _tops():
        if isinstance(value, Project) and value.recipes.get(recipe.name) is recipe:
            return value
    raise NotImportable(
        f"The project of recipe {recipe.name!r} is at the top of no module. A child process has to "
        "find it there: project = Project(…)."
    )


def place_of(definition: Any, what: str, *, first: str | None = None) -> Place:
    """Where it stands, in the module `first` if it is there. Raises NotImportable."""
    found = [place for place, value in _tops() if value is definition]
    for place in sorted(found, key=lambda each: each.module != first):
        return place
    raise NotImportable(
        f"{what} is at the top of no module. A child process has to find it there: define it "
        "outside of functions, in a module that is not the main one."
    )


def _tops() -> Iterator[tuple[Place, Any]]:
    for name, module in list(sys.modules.items()):
        if name == "__main__":
            continue
        file = getattr(module, "__file__", None)
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            yield Place(name, file, attribute), value
