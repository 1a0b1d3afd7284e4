"""The list of events: what the code logs, and what the page of operations says of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from lampwork import logs

ROOT = Path(__file__).parents[2]

MADE = {"job.succeeded", "job.failed", "job.cancelled", "task.answered", "task.failed"}
"""Events whose names are put together where they are logged."""

SOURCES = [each for each in sorted((ROOT / "src").rglob("*.py")) if each.name != "logs.py"]


def test_every_line_that_is_logged_has_an_event() -> None:
    silent = [
        f"{source}:{call.lineno}"
        for source in SOURCES
        for call in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).startswith("_log.")
        and ast.unparse(call.func) != "_log.isEnabledFor"
        and not any(given.arg == "extra" for given in call.keywords)
    ]
    assert silent == []


def test_every_event_is_logged_somewhere_and_none_is_missing() -> None:
    texts = [source.read_text("utf-8") for source in SOURCES]
    named = {event for text in texts for event in re.findall(r'"event": "([a-z]+\.[a-z_]+)"', text)}
    assert named <= logs.EVENTS.keys()
    written = {each for text in texts for each in re.findall(r'"([a-z]+\.[a-z_]+)"', text)}
    assert logs.EVENTS.keys() - written == MADE


def test_the_page_of_operations_lists_every_event() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")

    assert dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (.*) \|$", page, re.MULTILINE)) == (
        logs.EVENTS
    )
