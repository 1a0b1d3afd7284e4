"""/openapi.json, as those read it who generate clients of it."""

from __future__ import annotations

import re

from lampwork import Project

from .conftest import Serve

project = Project("shop")


async def test_names_make_good_classes_and_functions(serve: Serve) -> None:
    async with serve(project, executes=False) as api:
        described = (await api.get("/openapi.json")).json()

    operations = [each for path in described["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    schemas = described["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"([A-Z][a-z]+)+", name)] == []
    # Generators name classes by titles, and leave out the second one of a name.
    assert [each["title"] for each in schemas.values()] == list(schemas)
