"""SIGKILL at every boundary, at its first hit and at a later one: nothing is lost or doubled."""

from __future__ import annotations

import random
import signal

import pytest
from tests.crash.around import FAILPOINTS, outside

SEED = 7
"""Which later hits are chosen."""


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize("name", FAILPOINTS)
async def test_a_load_survives_a_kill_at(name, when, workers, undisturbed, home):
    hits = undisturbed.hits[name]
    assert hits >= 2, f"the load never comes to {name} twice: let it do what leads there"
    chosen = random.Random(f"{SEED} {name}").randint(2, max(2, hits * 2 // 3))
    nth, load = 1 if when == "first" else chosen, f"{name} {when}"
    async with outside(home):
        killed = await workers.live(home, load, failpoints=f"{name}=kill@{nth}")
        assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
        life = await workers.live(home, load)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(home, load, life)
