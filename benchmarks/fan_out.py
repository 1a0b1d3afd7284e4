"""Many tasks at once in one recipe, each of three model turns that take 50 ms."""

from __future__ import annotations

import argparse
from statistics import median

from benchmarks import runs
from benchmarks.table import Table

QUICK = ["--rounds", "1"]

SYSTEMS = ("lampwork", "langgraph")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", type=int, nargs="+", default=[10, 100, 500])
    parser.add_argument("--rounds", type=int, default=3)
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    print(
        "Tasks of three model turns of 50 ms and two skill calls: under one `gather` in Lampwork, "
        "LangChain's agent under `Send` in LangGraph.\n"
    )
    table = Table("tasks", "Lampwork s", "LangGraph s", "LangGraph / Lampwork", width=16)
    with runs.places(options.on) as places:
        for database in options.on:
            for tasks in options.tasks:
                rounds = [_round(places, database, tasks, it) for it in range(options.rounds)]
                ours, theirs = (median(each[name] for each in rounds) for name in SYSTEMS)
                ratio = median(each["langgraph"] / each["lampwork"] for each in rounds)
                figures = (f"{it:.2f}" for it in (ours, theirs, ratio))
                table.row(f"{tasks} on {database}", *figures)
    print()


def _round(places: runs.Places, database: str, tasks: int, number: int) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for name in SYSTEMS if number % 2 == 0 else reversed(SYSTEMS):
        with places(database) as place:
            seconds[name] = runs.run("fan", name, *place.words, tasks)
    return seconds
