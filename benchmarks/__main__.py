"""`python -m benchmarks [--quick] [NAME [options]]`; without a name: all but chaos and soak.

Names: recipe, workers, fan_out, diamond, wake, parked, kill, storage, lists, profile, live, chaos,
soak.
`… recipe --help` lists the options of one; `--quick` takes small sizes.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

from benchmarks import runs

USUAL = (
    *("recipe", "workers", "fan_out", "diamond", "wake", "parked", "kill", "storage", "lists"),
    *("profile", "live"),
)
NAMES = (*USUAL, "chaos", "soak")


def main(arguments: list[str]) -> None:
    quick = arguments[:1] == ["--quick"]
    if quick:
        del arguments[0]
    if arguments and arguments[0] not in NAMES:
        sys.exit(__doc__)
    chosen = [(arguments[0], arguments[1:])] if arguments else [(name, []) for name in USUAL]
    # What was started is ended, a server and its folder too, when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(runs.machine(), end="\n\n", flush=True)
    for name, rest in chosen:
        module = importlib.import_module(f"benchmarks.{name}")
        parser = argparse.ArgumentParser(prog=f"./scripts/bench {name}", description=module.__doc__)
        module.add_options(parser)
        module.main(parser.parse_args([*(module.QUICK if quick else []), *rest]))


if __name__ == "__main__":
    main(sys.argv[1:])
