"""Which queued jobs begin next, and which places there are: by the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lampwork.place import Folder
from lampwork.store.jobs import endings, jobs, limits, new_jobs, queued, queues, wanted
from lampwork.store.jobs.limits import Limit
from lampwork.store.processes import executors
from lampwork.store.processes.executors import NewExecutor
from lampwork.store.processes.share import Share
from lampwork.store.store import Store

SHARE = Share("shop", "e1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(Folder(tmp_path))
    executor = NewExecutor(id="e1", project="shop", version="1", limited=False, interval=0)
    store.submit(executors.start, executor).result()
    yield store
    store.close()


def new(name: str, recipe: str, project: str = "shop", **more: Any) -> new_jobs.NewJob:
    given: dict[str, Any] = {"version": "1", "input": {}, "trigger": {}, "root_id": name}
    return new_jobs.NewJob(id=name, project=project, callable=recipe, **(given | more))


async def accept(store: Store, *names: str, **more: Any) -> None:
    """Jobs such as `a1`, of recipe `a`."""
    for name in names:
        await store.write(new_jobs.create, [new(name, name[0], **more)])


async def declare(store: Store, *defined: Limit) -> None:
    await store.write(limits.declare, "shop", defined)


async def begin(store: Store, name: str) -> bool:
    entered = await store.write(queues.enter, name)
    if entered:
        await store.write(jobs.begin, name, "e1", "1")
    return entered


async def next_ones(store: Store, limit: int = 100, after: str = "") -> list[str]:
    return [each.id for each in await store.read(queued.to_start, SHARE, limit, after)]


async def test_recipes_take_turns_each_with_its_oldest_job_first(store: Store) -> None:
    await accept(store, "a1", "a2", "a3", "c1", "b1", "b2")
    assert await next_ones(store) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert await next_ones(store, 4) == ["a1", "b1", "c1", "a2"]


async def test_the_turn_goes_on_behind_the_recipe_that_had_the_last_one(store: Store) -> None:
    await accept(store, "a1", "a2", "b1", "c1")
    assert await next_ones(store, 1, after="a") == ["b1"]
    assert await next_ones(store, 1, after="b") == ["c1"]
    assert await next_ones(store, 1, after="c") == ["a1"]


async def test_jobs_of_other_projects_are_not_looked_at(store: Store) -> None:
    await accept(store, "a1")
    await accept(store, "b1", project="elsewhere")
    assert await next_ones(store) == ["a1"]


async def test_older_code_leaves_new_jobs_to_newer_code_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for those that it has accepted itself; so a newer one that does not stay alive, or has
    no room, keeps nobody waiting for long."""
    older = Share("shop", "e1", version="1")
    newer = Share("shop", "e2", version="2")
    code = NewExecutor(id="e2", project="shop", version="2", limited=False, interval=3)
    await store.write(executors.start, code)
    await accept(store, "a1")
    await accept(store, "a2", executor="e1")

    async def of(share: Share) -> list[str]:
        return [each.id for each in await store.read(queued.to_start, share, 9)]

    monkeypatch.setattr(queued, "LEFT_TO_NEWER", 3600.0)  # as long as this test may take
    assert (await of(older), await of(newer)) == (["a2"], ["a1"])
    with monkeypatch.context() as later:
        later.setattr(queued, "LEFT_TO_NEWER", 0)
        assert (await of(older), await of(newer)) == (["a1", "a2"], ["a1"])
    await store.write(executors.close, "e2")
    assert await of(older) == ["a1", "a2"]


async def test_of_a_limited_recipe_as_many_are_named_as_may_begin(store: Store) -> None:
    await store.write(
        limits.declare, "shop", [Limit("recipe", "a", 2), Limit("recipe", "o", 1, True)]
    )
    await accept(store, "a1", "a2", "a3", "o1", "o2", "b1")
    assert await next_ones(store) == ["a1", "b1", "o1", "a2"]
    assert [await begin(store, each) for each in ("a1", "a3", "a2")] == [True, True, False]
    assert [await begin(store, each) for each in ("o2", "o1")] == [False, True]
    assert await next_ones(store) == ["b1"]
    ended = await store.write(endings.finish, "a1", "succeeded", "", None)
    assert ended.freed
    assert await next_ones(store) == ["a2", "b1"]
    await store.write(endings.finish, "o1", "failed", "", None)
    assert await next_ones(store) == ["a2", "b1", "o2"]


async def test_a_parked_job_keeps_its_place_where_order_counts(store: Store) -> None:
    await store.write(
        limits.declare, "shop", [Limit("recipe", "a", 1), Limit("recipe", "o", 1, True)]
    )
    await accept(store, "a1", "a2", "o1", "o2")
    for each in ("a1", "o1"):
        assert await begin(store, each)
        assert await store.write(wanted.park, each, [], "suspended", is_limited=True)
    assert await next_ones(store) == ["a2"]


async def test_limits_that_come_and_go_find_the_jobs_that_are_there(store: Store) -> None:
    await accept(store, "a1", "a2", "a3")
    await begin(store, "a1")
    await declare(store, Limit("recipe", "a", 2))
    assert await next_ones(store) == ["a2"]
    await declare(store, Limit("recipe", "a", 1))
    assert await next_ones(store) == []
    await declare(store)
    assert await next_ones(store) == ["a2", "a3"]


async def test_where_nothing_is_limited_nothing_is_kept(store: Store) -> None:
    await accept(store, "a1")
    assert await begin(store, "a1")
    assert not (await store.write(endings.finish, "a1", "succeeded", "", None)).freed
