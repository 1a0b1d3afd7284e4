"""The maps that packages draw of themselves in their docstrings are whole."""

from __future__ import annotations

import pkgutil
import re
from types import ModuleType

import pytest

from lampwork import store, upkeep, versioning, worker


@pytest.mark.parametrize(
    "package", [store, upkeep, versioning, worker], ids=lambda each: each.__name__
)
def test_a_package_says_where_each_of_its_modules_belongs(package: ModuleType) -> None:
    named = re.findall(r"`(\w+)`", package.__doc__ or "")
    assert sorted(named) == sorted(each.name for each in pkgutil.iter_modules(package.__path__))
