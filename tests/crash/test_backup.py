"""A backup is made at some moment under load, work goes on, and dies; then the backup is restored.

The service outside remembers what was done after the backup, and nobody else does.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.crash.around import DEEPER, Home, Undisturbed, Workers, outside
from tests.postgres import Cluster

from lampwork.place import Folder, Server
from lampwork.upkeep import backup, restore

Made = tuple[Path, float]
"""A backup, and the moment before it was made."""


async def live_on(
    seed: int,
    load: str,
    *,
    home: Home,
    again: Home,
    make: Callable[[Path], object],
    bring_back: Callable[[Made], object],
    made_in: Path,
    workers: Workers,
    undisturbed: Undisturbed,
) -> None:
    """The seed says where the first life is killed, and which of its backups is restored."""
    chance = random.Random(seed)
    commits = undisturbed.hits["store.after_commit"]
    # Changes share commits as it happens: another run of the load may have a third fewer.
    kill = f"store.after_commit=kill@{chance.randrange(commits // 4, commits // 2)}"
    made: list[Made] = []
    async with outside(home):
        living = asyncio.create_task(workers.live(home, load, failpoints=kill))
        while not living.done():
            made.append((made_in / f"backup {len(made)}", time.time()))
            await asyncio.to_thread(make, made[-1][0])
    killed = await living
    assert killed.code == -signal.SIGKILL, workers.stderr.read_text()

    await asyncio.to_thread(bring_back, chance.choice(made))
    async with outside(again):
        life = await workers.live(again, load)
        assert life.code == 0, workers.stderr.read_text()
    undisturbed.check(again, load, life)


@pytest.mark.parametrize("seed", range(6 if DEEPER else 4))
async def test_what_was_done_after_a_backup_is_found_by_its_key_and_nothing_is_done_twice(
    seed, workers, undisturbed, home, tmp_path
):
    again = tmp_path / "again"
    await live_on(
        seed,
        f"restored {seed}",
        home=home,
        again=again,
        make=lambda to: backup.make(Folder(home), to),
        bring_back=lambda made: restore.restore(made[0], Folder(again), by="ann"),
        made_in=tmp_path,
        workers=workers,
        undisturbed=undisturbed,
    )


@pytest.mark.parametrize("seed", range(2))
async def test_so_it_is_with_a_dump_of_a_server(
    seed, workers, undisturbed, server, cluster: Cluster, tmp_path
):
    with cluster.database(empty=True) as restored:

        def dump(to: Path) -> None:
            schemas = ("--schema=lampwork", "--schema=dbos")
            cluster.client("pg_dump", "--format=custom", *schemas, f"--file={to}", server)

        def bring_back(made: Made) -> None:
            cluster.client(
                "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={restored}", str(made[0])
            )
            restore.mark(Server(restored), backup_at=made[1], by="ann")

        await live_on(
            seed,
            f"restored from a dump {seed}",
            home=Server(server),
            again=Server(restored),
            make=dump,
            bring_back=bring_back,
            made_in=tmp_path,
            workers=workers,
            undisturbed=undisturbed,
        )
