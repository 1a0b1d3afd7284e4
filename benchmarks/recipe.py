"""The recipe of `work.py`, system by system, in rounds of alternating order."""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from benchmarks import runs
from benchmarks.table import Table
from benchmarks.work import SYSTEMS

QUICK = ["--rounds", "1", "--serial", "40", "--many", "200"]

OURS = "lampwork"
KINDS = ("serial", "at_once")
OF_ITS_OWN = ("pydantic_ai_restate", "restate")
"""Systems that keep their state neither on SQLite nor on Postgres."""

Contender = tuple[str, str]
"""A system, and the database it is on: `sqlite`, `postgres`, or `own`."""

Figures = dict[Contender, dict[str, Any]]
"""Of one round: what `throughput.Figures` is as JSON."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serial", type=int, default=100, help="recipes one after another")
    parser.add_argument("--many", type=int, default=300, help="recipes with WIDTH going at once")
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    runs.add_databases(parser)


def main(options: argparse.Namespace) -> None:
    all_of_them = contenders(options.only, options.on)
    print(
        "A recipe: step, task (3 model turns, 2 skill calls, typed answer), step.\n"
        f"{options.serial} one by one, then {options.many} with {options.width} at once; "
        f"{options.rounds} rounds, a fresh process, folder and database each.\n"
    )
    rounds: list[Figures] = []
    with runs.places(options.on) as places:
        for number in range(options.rounds):
            first = number % len(all_of_them)
            order = [*all_of_them[first:], *all_of_them[:first]]
            rounds.append({each: _measured(each, places, options) for each in order})
            print(f"Round {number + 1}, from {' on '.join(order[0])}")
            _print([rounds[-1]], all_of_them)
    if len(rounds) > 1:
        print("Medians of the rounds")
        _print(rounds, all_of_them)
    _print_what_they_are(rounds[0])


def contenders(only: list[str], on: list[str]) -> list[Contender]:
    """Side by side in time: one database after the other, for each system."""
    return [
        (system, database)
        for system in only
        for database in (["own"] if system in OF_ITS_OWN else on)
    ]


def _measured(
    contender: Contender, places: runs.Places, options: argparse.Namespace
) -> dict[str, Any]:
    system, database = contender
    counts = (options.serial, options.many, options.width)
    with places(database) as place:
        return runs.run("throughput", system, *place.words, *counts)


def _print(rounds: list[Figures], all_of_them: list[Contender]) -> None:
    units = ("recipes/s", "CPU ms", "server ms")
    table = Table("system", *(f"{it}, {kind}" for it in units for kind in ("serial", "at once")))
    for each in all_of_them:
        figures = (
            median(figures[each][kind][unit] for figures in rounds)
            for unit in ("per_second", "cpu_ms", "server_ms")
            for kind in KINDS
        )
        table.row(" on ".join(each), *(f"{it:.1f}" if it else "" for it in figures))
    print()
    ratios = Table("Lampwork's rate / that of", "serial", "at once", width=40)
    for us in (each for each in all_of_them if each[0] == OURS):
        for peer in all_of_them:
            if peer[0] != OURS and peer[1] in (us[1], "own"):
                figures = (f"{_ratio(rounds, us, peer, kind):.2f}" for kind in KINDS)
                ratios.row(f"{peer[0]}, Lampwork on {us[1]}", *figures)
    print(flush=True)


def _ratio(rounds: list[Figures], us: Contender, peer: Contender, kind: str) -> float:
    """Of the rates: the median of the rounds' ratios."""
    return median(
        figures[us][kind]["per_second"] / figures[peer][kind]["per_second"] for figures in rounds
    )


def _print_what_they_are(figures: Figures) -> None:
    packages = {system: figure["packages"] for (system, _), figure in figures.items()}
    for system, versions in packages.items():
        named = ", ".join(f"{each} {version}" for each, version in versions.items())
        print(f"  {system}: {SYSTEMS[system]}\n    {named}")
    for each, figure in figures.items():
        print(f"  {' '.join(each):26} {figure['durability']}")
    print()
