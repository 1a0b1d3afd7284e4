"""Orchestrations in levels, one after another in this process, after one that warms it up.

`python -m benchmarks.levels PLACE… ROUNDS WIDTH…` prints the seconds of each; PLACE… are
`Place.words`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from benchmarks.systems import Place, lampwork_diamond


async def seconds(place: Place, rounds: int, widths: Sequence[int]) -> list[float]:
    async with lampwork_diamond.opened(place) as carry_out:
        return [await _timed(carry_out, widths) for _ in range(1 + rounds)][1:]


async def _timed(carry_out: lampwork_diamond.CarryOut, widths: Sequence[int]) -> float:
    began = time.perf_counter()
    done = await carry_out(widths)
    took = time.perf_counter() - began
    if done != sum(widths):
        raise AssertionError(f"{done} of {sum(widths)} subtasks have succeeded")
    return took


def main(folder: str, url: str, server: str, rounds: str, *widths: str) -> None:
    place = Place.read(folder, url, server)
    print(json.dumps(asyncio.run(seconds(place, int(rounds), list(map(int, widths))))))


if __name__ == "__main__":
    main(*sys.argv[1:])
