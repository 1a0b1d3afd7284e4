"""SIGKILL at every boundary, at its first hit or at a later one: nothing is lost or doubled."""

from __future__ import annotations

import random
import signal

import pytest
from tests.crash import service
from tests.crash.around import DEEPER, outside
from tests.crash.load import AT_MOST_ONCE

from lampwork.failpoint import POINTS
from lampwork.place import Server

SEED = 7
"""Which later hits are chosen."""


WHENS = ("first", "later")

BOUNDARIES = [
    (name, when)
    for at, name in enumerate(sorted(POINTS))
    for when in (WHENS if DEEPER else [WHENS[at % 2]])
]
"""Each boundary, at one of its hits in CI; every one is hit at a server as well, see below."""


@pytest.mark.parametrize(("name", "when"), BOUNDARIES)
async def test_a_load_survives_a_kill_at(name, when, workers, undisturbed, home):
    hits = undisturbed.hits[name]
    assert hits >= 2, f"the load never comes to {name} twice: let it do what leads there"
    # Of the early ones: how often a job is parked, and woken, is a matter of moments.
    chosen = random.Random(f"{SEED} {name}").randint(2, max(2, hits // 3))
    nth, load = 1 if when == "first" else chosen, f"{name} {when}"
    async with outside(home):
        killed = await workers.live(home, load, failpoints=f"{name}=kill@{nth}")
        assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
        life = await workers.live(home, load)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(home, load, life)


@pytest.mark.parametrize("when", ["asked", "done"])
@pytest.mark.parametrize("effect", sorted(AT_MOST_ONCE | {"post left", "post later", "item 0"}))
async def test_an_effect_survives_a_kill_beside_it(effect, when, workers, undisturbed, home):
    """Just before it is asked for, and when it has happened and nobody has written it down."""
    load = f"{effect} {when}"
    async with outside(home) as people:
        killed = await workers.live(home, load, failpoints=f"{effect}.{when}=kill")
        assert killed.code == -signal.SIGKILL, workers.stderr.read_text()
        life = await workers.live(home, load)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(home, load, life)
    # Another effect, of the job or of the chat beside it, may have been under way as well.
    [key] = service.effects(undisturbed.ledger, load)[effect]
    asked = effect in AT_MOST_ONCE - {"wire"}  # which has a reconciler
    said = ["happened" if when == "done" else "did_not_happen"] if asked else []
    assert people.resolved[key] == said


TOGETHER = 4
"""Kills of one load: at the fifth crash of a job in a row somebody must look."""


def groups() -> list[list[str]]:
    """Every point, and both sides of effects that are not repeated, in some order."""
    beside = [f"{effect}.{when}" for effect in ("letter", "mail") for when in ("asked", "done")]
    names = [*sorted(POINTS), *beside]
    random.Random(SEED).shuffle(names)
    return [names[i : i + TOGETHER] for i in range(0, len(names), TOGETHER)]


@pytest.mark.parametrize("names", groups(), ids=" ".join)
async def test_a_load_on_a_server_survives_kills_at(names, workers, undisturbed, server):
    """A life is killed where it first comes to one of them, the next where it comes to another."""
    home, load, left = Server(server), " ".join(names), set(names)
    async with outside(home):
        while left:
            killed = await workers.live(home, load, kills=sorted(left))
            assert killed.code == -signal.SIGKILL, (left, workers.stderr.read_text())
            left -= set(killed["killed_at"])
        life = await workers.live(home, load)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(home, load, life)
