"""`project.check()`: what is wrong with definitions, found without running anything."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lampwork import Answer, Finding, Model, Project, RateLimit, Turn, playbook

HEAD = """
from collections.abc import Callable
from lampwork import Answer, Job, Metadata, Project, playbook

project = Project("shop")
model = playbook(lambda turn: Answer("done"))
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Project]:
    """A project whose source is this, in a file of its own."""

    def load(source: str, name: str = "written") -> Project:
        file = tmp_path / f"{name}.py"
        file.write_text(HEAD + source)
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.project

    yield load
    for name in ("written", "beside"):
        sys.modules.pop(name, None)


def found(project: Project) -> list[tuple[str, str]]:
    return [(each.code, each.severity) for each in project.check()]


def test_a_project_of_good_definitions_has_no_findings(written) -> None:
    project = written('''
@project.skill(effect="read")
def look_up(order: str) -> dict[str, int]:
    """Look an order up."""

@project.skill(effect="idempotent")
def approve(note: str, invoice: Metadata[str]) -> str:
    """Approve the invoice when all amounts match."""

clerk = project.genie("clerk", model=model, job_description="", skills=[look_up, approve])

@project.recipe()
async def review(job: Job) -> str:
    return (await job.assign_task(clerk, "Review.", metadata={"invoice": "1"})).output
''')

    assert project.check() == []


def test_a_finding_says_what_and_where_it_is_and_what_to_do(written, tmp_path) -> None:
    project = written("""
@project.skill(effect="read")
def look_up(order: str) -> str: ...
""")

    assert project.check() == [
        Finding(
            code="skill_without_docstring",
            severity="warning",
            message='Skill "look_up" has no docstring, so a model can\'t know its use.',
            mend="Write one that says when to use it.",
            file=str(tmp_path / "written.py"),
            line=8,
        )
    ]


def test_ten_parameters_of_the_model_are_too_many_and_metadata_is_none_of_its(written) -> None:
    nine = ", ".join(f"p{n}: int" for n in range(9))
    project = written(f'''
@project.skill()
def nine({nine}, id: Metadata[str]) -> None:
    """Nine."""

@project.skill()
def ten({nine}, last: int) -> None:
    """Ten."""
''')

    assert [each.message for each in project.check()] == [
        'Skill "ten" asks a model for 10 parameters.'
    ]


def test_what_nobody_can_serialise_is_an_error_and_comes_first(written) -> None:
    project = written('''
class Opaque: ...

@project.skill()
def undocumented() -> str: ...

@project.skill()
def opaque() -> Opaque:
    """Give something."""

@project.skill()
def function() -> Callable[[], int]:
    """Give a function."""

@project.recipe()
async def review(job: Job) -> Opaque: ...
''')

    assert found(project) == [
        ("output_not_recordable", "error"),
        ("output_not_recordable", "error"),
        ("output_not_recordable", "error"),
        ("skill_without_docstring", "warning"),
    ]
    assert "no JSON is a function" in project.check()[1].message


def test_two_skills_of_a_genie_in_nearly_the_same_words_are_named(written) -> None:
    project = written('''
@project.skill(effect="read")
def find(order: str) -> str:
    """Find the order of a customer by its number, and say what was in it."""

@project.skill(effect="read")
def search(order: str) -> str:
    """Find the order of a customer by its number and say what was in it."""

@project.skill(effect="read")
def cancel(order: str) -> str:
    """Cancel the order of a customer before it is sent."""

for name in ("a", "b"):
    project.genie(name, model=model, job_description="", skills=[find, search, cancel])
''')

    assert [each.message.split(" are described")[0] for each in project.check()] == [
        'Skills "find" and "search" of genie "a"',
        'Skills "find" and "search" of genie "b"',
    ]


SKILL = '''
@project.skill()
def approve(invoice: Metadata[str], tone: Metadata[str] = "plain") -> None:
    """Approve."""

clerk = project.genie("clerk", model=model, job_description="", skills=[approve])
'''


@pytest.mark.parametrize(
    ("metadata", "warned"),
    [
        ("", True),
        (", metadata=None", True),
        (', metadata={"tone": "dry"}', True),
        (', metadata={"invoice": "1"}', False),
        (", metadata={key: '1'}", False),
        (", metadata=dict(invoice='1')", False),
        (", metadata={**known}", False),
        (", **terms", False),
    ],
)
def test_metadata_that_no_recipe_gives_is_named_unless_only_a_run_can_tell(
    written, metadata: str, warned: bool
) -> None:
    project = written(f"""{SKILL}
@project.recipe()
async def review(job: Job) -> None:
    await job.assign_task(clerk, "Review."{metadata})
""")

    assert found(project) == ([("metadata_never_given", "warning")] if warned else [])


def test_metadata_may_be_given_in_a_module_beside_the_recipe(written) -> None:
    written(
        """
async def review_one(job, clerk):
    await job.assign_task(clerk, "Review.", metadata={"invoice": "1"})
""",
        name="beside",
    )
    project = written(f"""{SKILL}
from beside import review_one

@project.recipe()
async def review(job: Job) -> None:
    await review_one(job, clerk)
""")

    assert project.check() == []


def test_of_tasks_that_are_assigned_from_outside_nothing_is_said(written) -> None:
    project = written(f"""{SKILL}
@project.recipe()
async def other(job: Job) -> None: ...
""")

    assert project.check() == []


def test_knowledge_whose_search_says_nothing_is_named() -> None:
    project = Project("shop")

    @playbook
    def model(turn: Turn) -> Answer:
        return Answer("done")

    def search(query: str, k: int, user: str | None) -> list[Any]:
        return []

    base = project.knowledge("hr", search=search)
    project.genie("clerk", model=model, job_description="", knowledge=[base])

    assert found(project) == [("knowledge_without_docstring", "warning")]


@pytest.mark.parametrize(
    ("model", "finding"),
    [
        ("opnai:gpt-5.2", ("model_unknown", "error")),
        ("gpt 5.2", ("model_unknown", "error")),
        (Model("openai:gpt-5.2", fallbacks=("opnai:gpt-5.2",)), ("model_unknown", "error")),
        ("openai:gpt-5.2", ("model_key_missing", "note")),
        (Model("openai-chat:m", base_url="http://localhost:1"), None),
    ],
)
def test_a_model_that_is_none_is_an_error_and_a_missing_key_is_a_note(
    monkeypatch: pytest.MonkeyPatch, model: Any, finding: tuple[str, str] | None
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("LAMPWORK_MODEL", raising=False)
    project = Project("shop")
    project.genie("clerk", model=model, job_description="")

    assert found(project) == ([] if finding is None else [finding])
    assert all('Genie "clerk": Model "' in each.message for each in project.check())


@pytest.mark.parametrize(
    ("limited", "finding"),
    [
        ("openai", None),
        ("openai:gpt-5.2", None),
        ("anthropic:claude-sonnet-5", None),
        ("opnai", ("rate_limit_unused", "warning")),
        ("mistral", ("rate_limit_unused", "note")),
    ],
)
def test_a_rate_limit_of_what_no_genie_asks_is_named(
    monkeypatch: pytest.MonkeyPatch, limited: str, finding: tuple[str, str] | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    monkeypatch.delenv("LAMPWORK_MODEL", raising=False)
    project = Project("shop", rate_limits={limited: RateLimit(requests_per_minute=5)})
    model = Model("openai:gpt-5.2", fallbacks=("anthropic:claude-sonnet-5",))
    project.genie("clerk", model=model, job_description="")

    assert found(project) == ([] if finding is None else [finding])


def test_a_rate_limit_may_be_of_a_model_that_a_playbook_stands_in_for() -> None:
    project = Project("shop", rate_limits={"openai": RateLimit(requests_per_minute=5)})
    project.genie("clerk", model=playbook(lambda turn: Answer("done")), job_description="")

    assert found(project) == []
