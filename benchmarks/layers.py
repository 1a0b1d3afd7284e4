"""What a stack is counted for: a layer of Lampwork or of what is below it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

LAYERS = {
    "dbos/": "DBOS",
    "lampwork/store/": "our store",
    "lampwork/engine/": "our face of DBOS",
    "pydantic_ai/": "pydantic-ai",
    "lampwork/models/": "our model layer",
    "lampwork/metadata/": "metadata: scan, seal",
    "lampwork/tasks/": "tasks: turns, skill calls",
    "lampwork/genies/": "genies: contracts, budgets",
    "lampwork/runs/": "runs: calls, steps, waits",
    "lampwork/": "jobs: worker, door, values",
    "benchmarks/": "the load",
}
REST = "event loops, threads"

Part = tuple[str, str]
"""The layer; the file and function of it that a stack is in."""

_LAYER = re.compile("/(" + "|".join(LAYERS) + ")")


def part(frames: Iterable[tuple[str, str]]) -> Part:
    """Of a stack's functions and files, innermost first: the first that is one of the layers'."""
    for function, file in frames:
        found = _LAYER.findall(file)
        if found:
            return LAYERS[found[-1]], f"{Path(file).stem}: {function.rpartition('.')[2]}"
    return REST, ""
