"""What README.md shows is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


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
        timeout=50,
    )

    assert (ran.stdout, ran.stderr) == (printed, "")


def test_the_map_names_what_exists() -> None:
    table = re.findall(r"^\| (`.*?) \|", README.read_text(), re.MULTILINE)
    paths = [re.findall(r"`(.*?)`", row) for row in table]
    named = [
        Path(row[0]).parent / Path(each).name if i else Path(each)
        for row in paths
        for i, each in enumerate(row)
    ]

    assert [str(path) for path in named if not (README.parent / path).exists()] == []
