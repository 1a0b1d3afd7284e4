"""Recipes that are written to a file, and what `project.check()` finds in their source."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest
from tests.unit.check_recipes.drawn import Draw

from lampwork import Project
from lampwork.views import Graph

HEAD = """
import asyncio, contextlib, datetime, random, time, uuid
from datetime import datetime as moment
from pathlib import Path
from time import time as clock

import httpx

from lampwork import Answer, Call, Cron, Job, Metadata, Poll, Project, playbook

project = Project("shop")
model = playbook(lambda turn: Answer("done"))


def weigh(parcel: str = "") -> int:
    return len(parcel)


@project.skill(effect="read")
def look_up(order: str) -> str:
    '''Look an order up.'''
    return order


mute = project.genie("mute", model=model, job_description="")
clerk = project.genie("clerk", model=model, job_description="", skills=[look_up])

"""


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """A project whose source is this, in a file of its own."""

    def load(source: str) -> Project:
        file = tmp_path / "written.py"
        file.write_text(HEAD + source)
        spec = importlib.util.spec_from_file_location("written", file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["written"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.project

    yield load
    sys.modules.pop("written", None)


@pytest.fixture
def found(written, tmp_path: Path) -> Callable[..., list[str]]:
    """What is found in a recipe with this body: each finding's code at the text of its line."""

    def check(body: str, before: str = "") -> list[str]:
        recipe = "@project.recipe()\nasync def ship(job: Job, parcel: str = '') -> None:\n"
        project = written(before + recipe + indent(body, "    ") + "\n")
        lines = (tmp_path / "written.py").read_text().splitlines()
        return [f"{each.code}: {lines[each.line - 1].strip()}" for each in project.check()]

    return check


@pytest.fixture
def draw(written) -> Draw:
    """The graph of a recipe with this body."""

    def draw(body: str, before: str = "") -> Graph:
        recipe = "@project.recipe()\nasync def ship(job: Job, items: list[str]) -> None:\n"
        project: Project = written(dedent(before) + recipe + indent(dedent(body), "    ") + "\n")
        return project.graph("ship")

    return draw
