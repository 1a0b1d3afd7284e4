"""A backup is made at some moment under load, work goes on, and dies; then the backup is restored.

The service outside remembers what was done after the backup, and nobody else does.
"""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest
from tests.crash.around import outside

from lampwork.place import Folder
from lampwork.upkeep import backup, restore


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_done_after_a_backup_is_found_by_its_key_and_nothing_is_done_twice(
    seed, workers, undisturbed, home, tmp_path
):
    """The seed says where the first life is killed, and which of its backups is restored."""
    chance, load = random.Random(seed), f"restored {seed}"
    commits = undisturbed.hits["store.after_commit"]
    kill = f"store.after_commit=kill@{chance.randrange(commits // 4, commits)}"
    made: list[Path] = []
    async with outside(home):
        living = asyncio.create_task(workers.live(home, load, failpoints=kill))
        while not living.done():
            made.append(tmp_path / f"backup {len(made)}")
            await asyncio.to_thread(backup.make, Folder(home), made[-1])
    killed = await living
    assert killed.code == -signal.SIGKILL, workers.stderr.read_text()

    again = tmp_path / "again"
    await asyncio.to_thread(restore.restore, chance.choice(made), Folder(again), by="ann")
    async with outside(again):
        life = await workers.live(again, load)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(again, load, life)
