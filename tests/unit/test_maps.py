"""The maps that packages draw of themselves in their docstrings are whole."""

from __future__ import annotations

import importlib
import pkgutil
import re
from types import ModuleType

import pytest

from lampwork import store, upkeep, versioning, worker

ROOMS = [
    importlib.import_module(f"{store.__name__}.{each}")
    for each in ["jobs", "tasks", "spending", "people", "processes", "triggers", "lists", "upkeep"]
]


@pytest.mark.parametrize(
    "package", [store, *ROOMS, upkeep, versioning, worker], ids=lambda each: each.__name__
)
def test_a_package_says_where_each_of_its_modules_belongs(package: ModuleType) -> None:
    named = re.findall(r"`(\w+)`", package.__doc__ or "")
    assert sorted(named) == sorted(each.name for each in pkgutil.iter_modules(package.__path__))
