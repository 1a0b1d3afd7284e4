"""`check` says of the examples only what is true of them: no false alarms."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from lampwork import Project

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))

MEANT = {
    "budgets.py": {"print_in_recipe"},
    "chat.py": {"genie_not_eligible"},
    "check.py": {
        "call_not_awaited",
        "unrecorded_call",
        "finally_around_job_call",
        "print_in_recipe",
    },
    "delegation.py": {"print_in_recipe"},
    "knowledge.py": {"genie_not_eligible"},
    "models.py": {"model_key_missing"},
    "refunds.py": {"model_key_missing"},
    "refused.py": {"timeout_around_job_call"},
    "replay.py": {"print_in_recipe"},
    "returns.py": {"print_in_recipe"},
}
"""What the examples do on purpose: they print to be seen, or show what is refused."""


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_no_example_of_the_docs_is_found_fault_with(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "TEAM_KEY"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.syspath_prepend(str(file.parent))
    for name in [example.stem for example in EXAMPLES]:  # another test may have a "shop" as well
        monkeypatch.delitem(sys.modules, name, raising=False)
    try:
        module = importlib.import_module(file.stem)
        projects = [each for each in vars(module).values() if isinstance(each, Project)]
        found = {finding.code for project in projects for finding in project.check()}
    finally:
        for name in [example.stem for example in EXAMPLES]:
            sys.modules.pop(name, None)

    assert found == MEANT.get(file.name, set())


def test_nor_is_the_invoice_story() -> None:
    from invoices.project import project

    assert project.check() == []
