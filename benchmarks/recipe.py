"""The recipe of `work.py`, system by system, in rounds of alternating order."""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from benchmarks import runs
from benchmarks.work import SYSTEMS

OURS = "lampwork"
KINDS = ("serial", "at_once")

Figures = dict[str, dict[str, Any]]
"""Of one round: by system, what `throughput.Figures` is as JSON."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serial", type=int, default=100, help="recipes one after another")
    parser.add_argument("--many", type=int, default=300, help="recipes with WIDTH going at once")
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))


def main(options: argparse.Namespace) -> None:
    names: list[str] = options.only
    print(
        "A recipe: step, task (3 model turns, 2 skill calls, typed answer), step.\n"
        f"{options.serial} one by one, then {options.many} with {options.width} at once; "
        f"{options.rounds} rounds, a fresh process and folder each.\n"
    )
    rounds: list[Figures] = []
    for number in range(options.rounds):
        first = number % len(names)
        rounds.append(_round([*names[first:], *names[:first]], options))
        print(f"Round {number + 1}, in this order: {', '.join(rounds[-1])}")
        _print([rounds[-1]], names)
    print("Medians of the rounds")
    _print(rounds, names)
    for name in names:
        figure = rounds[0][name]
        packages = ", ".join(f"{each} {version}" for each, version in figure["packages"].items())
        print(f"  {name}: {SYSTEMS[name]}\n    {packages}\n    SQLite {figure['durability']}")
    print()


def _round(order: list[str], options: argparse.Namespace) -> Figures:
    figures: Figures = {}
    for name in order:
        with runs.fresh_folder() as folder:
            figures[name] = runs.run(
                "throughput", name, folder, options.serial, options.many, options.width
            )
    return figures


def _print(rounds: list[Figures], names: list[str]) -> None:
    for name in names:
        serial, at_once, serial_cpu, at_once_cpu = (
            median(figures[name][kind][unit] for figures in rounds)
            for unit in ("per_second", "cpu_ms")
            for kind in KINDS
        )
        print(
            f"  {name:17} {serial:6.1f}/s serial  {at_once:6.1f}/s at once   "
            f"CPU {serial_cpu:5.1f} / {at_once_cpu:5.1f} ms{_ratios(rounds, names, name)}"
        )
    print(flush=True)


def _ratios(rounds: list[Figures], names: list[str], peer: str) -> str:
    """Lampwork/peer: the median of the rounds' ratios."""
    if peer == OURS or OURS not in names:
        return ""
    serial, at_once = (
        median(
            figures[OURS][kind]["per_second"] / figures[peer][kind]["per_second"]
            for figures in rounds
        )
        for kind in KINDS
    )
    return f"   Lampwork/peer {serial:4.2f} serial, {at_once:4.2f} at once"
