"""The examples in the docstrings of the public face are run.

Those of `Job` are calls of a recipe, those of `App` are made with the project open, and the rest
are made by themselves. What is named in them is the shop's below.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import lampwork
from lampwork import Answer, App, Job, Metadata, Passage, Project, SkillCall, Turn, playbook

PUBLIC = {name: getattr(lampwork, name) for name in lampwork.__all__}


class Verdict(BaseModel):
    status: Literal["refund", "refuse"]


def weigh(title: str, *, wrapped: bool = False) -> int:
    return 50 * len(title) + 80 * wrapped


def search_rules(query: str, k: int, user: str | None) -> Sequence[Passage]:
    """The rules for returns."""
    return [Passage("Within 30 days.", source="rules.md")]


def shop() -> dict[str, Any]:
    """What the examples name."""
    project = Project("bookshop")

    @project.skill(effect="idempotent")
    async def refund(cents: int, order_id: Metadata[str], call: SkillCall) -> str:
        """Give money back for the order."""
        return order_id

    @playbook
    def script(turn: Turn) -> Answer:
        return Answer(Verdict(status="refund"))

    clerk = project.genie("clerk", model=script, job_description="You decide.", skills=[refund])

    @project.recipe()
    async def decide(job: Job, order_id: str) -> Verdict:
        task = await job.assign_task(
            clerk, "Decide.", metadata={"order_id": order_id}, output=Verdict
        )
        return task.output

    return PUBLIC | {
        "project": project,
        "clerk": clerk,
        "decide": decide,
        "refund": refund,
        "script": script,
        "weigh": weigh,
        "search_rules": search_rules,
        "Verdict": Verdict,
        "content": b"%PDF",
        "orders": search_rules,
    }


def examples(*docstrings: str | None) -> list[doctest.Example]:
    parser = doctest.DocTestParser()
    return [
        each for text in docstrings for each in parser.get_examples(inspect.cleandoc(text or ""))
    ]


def of_class(public: type) -> list[doctest.Example]:
    """The examples of a class and of what it has and inherits, from the top."""
    methods = [
        method.__doc__
        for base in reversed(public.__mro__)
        if base.__module__.startswith("lampwork.")
        for name, method in vars(base).items()
        if isinstance(method, FunctionType) and not name.startswith("_")
    ]
    return examples(public.__doc__, *methods)


async def perform(given: list[doctest.Example], names: dict[str, Any]) -> None:
    """Run examples, which may await, and compare what they show."""
    checker = doctest.OutputChecker()
    for example in given:
        mode = "eval" if example.want else "exec"
        code = compile(
            example.source,
            "<docstring>",
            mode,
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        value = eval(code, names)
        if inspect.iscoroutine(value) and code.co_flags & inspect.CO_COROUTINE:
            value = await value
        shown = f"{value!r}\n" if example.want else ""
        assert checker.check_output(example.want, shown, 0), (example.source, shown)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_the_calls_of_a_job() -> None:
    names = shop()
    calls = of_class(Job)

    @names["project"].recipe()
    async def stage(job: Job) -> int:
        await perform(calls, names | {"job": job})
        return len(calls)

    async with names["project"].open() as app:
        job = await app.start(stage)
        await app.send_event(job, "paid", 500)
        assert await app.result(job, int) == len(calls)


async def test_what_is_done_from_outside() -> None:
    names = shop()
    async with names["project"].open() as app:
        given = sorted(of_class(App), key=lambda each: "app.result" in each.source)
        await perform(given, names | {"app": app})


def test_definitions_and_scripts() -> None:
    names = shop()
    given = of_class(Project)
    apart = [each for each in given if "await" not in each.source or "def " in each.source]

    asyncio.run(perform([each for each in apart if "project.run" not in each.source], names))
    names = shop()
    for each in apart:
        if "project.run" in each.source:
            assert repr(eval(each.source, names)) == each.want.strip()
    asyncio.run(perform([each for each in given if each not in apart], names))


_INLINE = re.compile(r"`([A-Z]\w+\([^`]*\))`")


def in_words(name: str) -> list[str]:
    """The code of its own that a docstring shows within a sentence."""
    shown = _INLINE.findall(inspect.cleandoc(PUBLIC[name].__doc__ or ""))
    return [code for code in shown if code.startswith(f"{name}(")]


@pytest.mark.parametrize("name", sorted(name for name in PUBLIC if in_words(name)))
def test_what_a_docstring_shows_in_a_sentence_is_made(name: str) -> None:
    for code in in_words(name):
        assert isinstance(eval(code, shop()), PUBLIC[name])


ENTRIES = {
    Job: "assign_task call gather map options step wait_for",
    App: "assign_task result run start",
    Project: "genie knowledge open recipe run skill",
}


def test_public_entry_points_have_an_example() -> None:
    lacking = [
        f"{owner.__name__}.{name}"
        for owner, names in ENTRIES.items()
        for name in names.split()
        if not examples(getattr(owner, name).__doc__)
    ]
    assert lacking == []
    made = "Answer Budget Call Calls CannotComplete Cron File Model Poll Price Recent Retry Summary"
    assert [name for name in made.split() if not in_words(name)] == []
