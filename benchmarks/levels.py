"""Orchestrations in levels, one after another in this process, after one that warms it up.

`python -m benchmarks.levels PLACE… ROUNDS WIDTH…` prints the seconds of each, and those of the
tasks on its critical path; PLACE… are `Place.words`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from benchmarks.systems import Place, lampwork_diamond

Took = tuple[float, float]
"""An orchestration's seconds, and those of the tasks on its critical path."""


async def seconds(place: Place, rounds: int, widths: Sequence[int]) -> list[Took]:
    async with lampwork_diamond.opened(place) as (carry_out, longest):
        await carry_out(widths)
        return [await _timed(carry_out, longest, widths) for _ in range(rounds)]


async def _timed(
    carry_out: lampwork_diamond.CarryOut, longest: lampwork_diamond.Longest, widths: Sequence[int]
) -> Took:
    began = time.perf_counter()
    orchestration = await carry_out(widths)
    took = time.perf_counter() - began
    return took, sum(await longest(orchestration))


def main(folder: str, url: str, server: str, rounds: str, *widths: str) -> None:
    place = Place.read(folder, url, server)
    print(json.dumps(asyncio.run(seconds(place, int(rounds), list(map(int, widths))))))


if __name__ == "__main__":
    main(*sys.argv[1:])
