"""`lampwork --help`: the verbs, by what one does."""

from __future__ import annotations

from typing import Any

from lampwork.cli import _VERBS


def test_help_is_grouped_by_what_one_does(lampwork: Any) -> None:
    said = lampwork("--help").out

    titles = [line for line in said.splitlines() if line.endswith(":") and line[0].isupper()]
    assert titles == ["Options:", "Start:", "Look:", "Look at one, and decide:", "Maintain:"]
    assert all(f"\n  {verb} " in said for verb in _VERBS)
