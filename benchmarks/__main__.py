"""`python -m benchmarks [recipe|storage|parked|wake|chaos] [options]`; without a name: not chaos.

`… recipe --help` lists the options of one.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks import runs

QUICK = ("recipe", "storage", "parked", "wake")
NAMES = (*QUICK, "chaos")


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] not in NAMES:
        sys.exit(__doc__)
    chosen = [(arguments[0], arguments[1:])] if arguments else [(name, []) for name in QUICK]
    print(runs.machine(), end="\n\n", flush=True)
    for name, rest in chosen:
        module = importlib.import_module(f"benchmarks.{name}")
        parser = argparse.ArgumentParser(prog=f"./scripts/bench {name}", description=module.__doc__)
        module.add_options(parser)
        module.main(parser.parse_args(rest))


if __name__ == "__main__":
    main(sys.argv[1:])
