"""What README.md shows is run, and what it and ARCHITECTURE.md name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def test_the_readmes_example_prints_what_the_readme_says(tmp_path: Path) -> None:
    text = README.read_text()
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [printed] = re.findall(r"It prints\n\n```\n(.*?)```", text, re.DOTALL)
    (tmp_path / "library.py").write_text(example)

    ran = subprocess.run(
        [sys.executable, "-W", "error", "library.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
    )

    assert (ran.stdout, ran.stderr) == (printed, "")


def test_what_the_readme_types_is_typed_in_the_quickstart() -> None:
    """Where the tests run it."""
    begin = README.read_text().partition("## Begin")[2].partition("\n## ")[0]
    typed = [line.partition("  ")[0] for line in re.findall(r"^lampwork .*$", begin, re.MULTILINE)]
    quickstart = (ROOT / "docs/quickstart.md").read_text()

    assert len(typed) == 3
    assert [line for line in typed if f"$ {line}\n" not in quickstart] == []


def test_the_links_lead_somewhere() -> None:
    linked = re.findall(r"\]\(([^)#:]+)(?:#.*?)?\)", README.read_text())

    assert [link for link in linked if not (ROOT / link).exists()] == []


def test_the_map_names_what_exists() -> None:
    places = (ROOT / "ARCHITECTURE.md").read_text().partition("## Where things are")[2]
    table = re.findall(r"^\| (`.*?) \|", places.partition("\n## ")[0], re.MULTILINE)
    paths = [re.findall(r"`(.*?)`", row) for row in table]
    named = [
        Path(row[0]).parent / Path(each).name if i else Path(each)
        for row in paths
        for i, each in enumerate(row)
    ]

    assert [str(path) for path in named if not (ROOT / path).exists()] == []
