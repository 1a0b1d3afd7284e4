"""Many tasks at once in one recipe, each of three model turns that take 50 ms."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks import runs
from benchmarks.table import Table

QUICK = ["--rounds", "1"]

SYSTEMS = {"lampwork": "gather", "lampwork_orchestrator": "orchestrator", "langgraph": "LangGraph"}
"""The module in `benchmarks.systems` less `_fan`, and what its columns are called."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", type=int, nargs="+", default=[10, 100, 500])
    parser.add_argument("--rounds", type=int, default=3)
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(
        "Tasks of three model turns of 50 ms and two skill calls: under one `gather` in Lampwork, "
        "as an orchestrator's subtasks, and LangChain's agent under `Send` in LangGraph.\n"
    )
    columns = [f"{name} {unit}" for name in SYSTEMS.values() for unit in ("s", "CPU ms")]
    ratios = [f"LangGraph / {name}" for name in SYSTEMS.values()][:-1]
    table = Table("tasks", *columns, *ratios, width=16)
    with runs.places(options.on) as places:
        for database in options.on:
            for tasks in options.tasks:
                rounds = [_round(places, database, tasks, it) for it in range(options.rounds)]
                table.row(f"{tasks} on {database}", *_cells(rounds, tasks))
    print()


Round = dict[str, dict[str, float]]
"""By system: `seconds` of all, and of `cpu`."""


def _round(places: runs.Places, database: str, tasks: int, number: int) -> Round:
    found: Round = {}
    for name in SYSTEMS if number % 2 == 0 else reversed(SYSTEMS):
        with places(database) as place:
            found[name] = runs.run("fan", name, *place.words, tasks)
    return found


def _cells(rounds: Sequence[Round], tasks: int) -> Iterator[str]:
    for name in SYSTEMS:
        yield f"{median(each[name]['seconds'] for each in rounds):.2f}"
        yield f"{median(each[name]['cpu'] for each in rounds) / tasks * 1000:.1f}"
    *ours, theirs = SYSTEMS
    for name in ours:
        ratio = median(each[theirs]["seconds"] / each[name]["seconds"] for each in rounds)
        yield f"{ratio:.1f}"
