"""What a stack is counted for: a layer of Lampwork or below it, and the call into that layer."""

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
"""The layer; the file and function by which it was entered."""

_LAYER = re.compile("/(" + "|".join(LAYERS) + ")")


def part(frames: Iterable[tuple[str, str]]) -> Part:
    """Of a stack's functions and files, innermost first: the innermost layer, and its entry."""
    layer, call = REST, ""
    for function, file in frames:
        found = _LAYER.findall(file)
        its = LAYERS[found[-1]] if found else REST
        if layer == REST:
            layer = its
        elif its not in (layer, REST):
            break
        if its == layer and layer != REST:
            call = f"{Path(file).stem}: {function.rpartition('.')[2]}"
    return layer, call
