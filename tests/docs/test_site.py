"""The site that ./scripts/docs builds: whole, and with nothing from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.name for page in (ROOT / "docs").glob("*.md"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with what the site is built of."""
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    return tmp_path


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_navigation_leads_to_every_page_once() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))
    listed: list[str] = re.findall(r"[\w-]+\.md", str(settings["project"]["nav"]))

    assert sorted(listed) == PAGES


def test_the_site_loads_nothing_from_elsewhere(copy: Path) -> None:
    built = build(copy)
    assert built.returncode == 0, built.stdout + built.stderr

    pages = {page.name: page.read_text("utf-8") for page in (copy / "build/docs").glob("*.html")}
    loaded = {
        (name, address)
        for name, text in pages.items()
        for element in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", text)
        for address in re.findall(r"""\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""", element)
    }

    assert {Path(page).with_suffix(".html").name for page in PAGES} <= pages.keys()
    assert loaded == set()


@pytest.mark.parametrize("link", ["nowhere.md", "recipes.md#nowhere"])
def test_a_link_that_leads_nowhere_fails_the_build(copy: Path, link: str) -> None:
    with (copy / "docs/index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[there]({link})\n")

    built = build(copy)

    assert built.returncode != 0
    assert "does not exist" in built.stderr
