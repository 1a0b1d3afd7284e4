"""Tasks cut off at any point: they go on where they stopped, and only their owner does."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lampwork import SkillCall, failpoint
from lampwork.genies.effect import Happened
from lampwork.models import (
    Answer,
    Ask,
    Call,
    Playbook,
    Reply,
    Turn,
    playbook,
)
from lampwork.runs.flow import RunEnded
from lampwork.store import schema

from .clerk import METADATA, VERDICT, Verdict, genie_of, payer, thorough


async def cut(desk, keep: int) -> None:
    """Keep the first entries of the whole task only, as if its process had died there."""
    await desk.sql("CREATE TABLE IF NOT EXISTS whole AS SELECT * FROM entries")
    await desk.sql("DELETE FROM entries")
    await desk.sql("INSERT INTO entries SELECT * FROM whole WHERE seq <= :keep", keep=keep)
    await desk.sql("UPDATE conversations SET last_seq = :keep, holder = 't1.1'", keep=keep)
    await desk.sql(
        "UPDATE tasks SET status = 'working', outcome = NULL, usage = NULL, ended_at = NULL"
    )


async def test_a_replay_from_every_prefix_goes_on_where_it_stopped(desk, skills, effects):
    genie = genie_of(desk, thorough, skills)
    await desk.assign(genie, metadata=METADATA, output=Verdict)
    whole = await desk.entries()

    # A response, its intents and the end it leads to are one append: no crash comes between.
    boundaries = [
        n for n, (kind, _) in enumerate(whole) if n and kind not in ("intent", "answered")
    ]
    assert boundaries == [1, 4, 5, 6, 8, 9]
    for keep in boundaries:
        await cut(desk, keep)
        kept = whole[:keep]
        effects.acts.clear()
        working = asyncio.create_task(desk.assign(genie, metadata=METADATA, output=Verdict))
        done = {body["call"] for kind, body in kept if kind == "result"}
        begun = {body["call"] for kind, body in kept if kind == "intent"} - done
        if "7.0" in begun:  # the payment: nobody knows
            wait = await desk.next_wait()
            assert effects.of("pay") == []
            await desk.sql("DELETE FROM inbox")
            await desk.answer(wait.id, {"resolution": "happened", "result": "paid 100"})
        answer = await working

        assert answer.output == VERDICT
        assert [(a.skill, a.status) for a in answer.actions] == [
            ("look_up", "ok"),
            ("approve", "ok"),
            ("pay", "ok"),
        ]
        assert effects.of("approve") == ([] if "2.1" in done else ["t1.1.2.1"])
        assert effects.of("pay") == ([] if begun | done >= {"7.0"} else ["t1.1.7.0"])
        after = [kind for kind, _ in await desk.entries() if kind != "unknown"]
        assert sorted(after) == sorted(kind for kind, _ in whole)
        await desk.sql("DELETE FROM waits")
        await desk.sql("DELETE FROM inbox")


async def test_a_finished_task_gives_its_outcome_again_without_asking_anyone(desk, effects):
    @playbook
    def once(turn: Turn):
        effects.acts.append(("asked", ""))
        return Answer("done")

    genie = genie_of(desk, once)
    first = await desk.assign(genie)
    again = await desk.assign(genie)

    assert again == first
    assert len(effects.acts) == 1


FAILPOINTS = [
    "task.opened",
    "task.claimed",
    "model.before",
    "model.after",
    "said.appended",
    "skill.before_effect",
    "skill.after_effect",
    "result.appended",
    "answer.appended",
]
"""Every boundary in the life of this task."""


class Killed(BaseException):
    pass


@pytest.mark.parametrize("point", FAILPOINTS)
async def test_stopped_at_any_point_the_task_goes_on_and_keyed_effects_keep_their_key(
    desk, skills, effects, point
):
    genie = genie_of(desk, thorough, skills)
    hits = 0

    def stop() -> None:
        nonlocal hits
        hits += 1
        raise Killed

    failpoint.arm(point, stop)
    try:
        with pytest.raises(Killed):
            await desk.assign(genie, metadata=METADATA, output=Verdict)
    finally:
        failpoint.disarm(point)
    assert hits

    answer = await desk.assign(genie, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert set(effects.of("approve")) == {"t1.1.2.1"}
    assert effects.of("pay") == ["t1.1.7.0"]


async def test_after_a_crash_a_reconciler_is_asked_about_a_payment_that_was_begun(
    desk, skills, effects
):
    pay = skills[2]

    @pay.reconcile
    def find(call: SkillCall):
        return Happened("paid 100, as the bank says")

    genie = genie_of(desk, thorough, skills)
    await desk.assign(genie, metadata=METADATA, output=Verdict)
    kinds = await desk.kinds()
    await cut(desk, kinds.index("said", 2) + 2)
    effects.acts.clear()

    answer = await desk.assign(genie, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert effects.acts == []


async def test_the_resolution_outlives_a_crash(desk, lost_pay, effects):
    genie = genie_of(desk, payer, [lost_pay])
    working = asyncio.create_task(desk.assign(genie))
    wait = await desk.next_wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await desk.answer(wait.id, {"resolution": "happened", "result": "seen"})

    answer = await desk.assign(genie)

    assert answer.output == "seen"
    assert len(effects.of("pay")) == 1


# --- one owner ---


async def test_a_deposed_run_appends_nothing_and_starts_nothing(desk, skills, effects):
    """A is frozen in its model call; B takes over and works; A thaws."""
    thaw = asyncio.Event()
    frozen = asyncio.Event()

    class Frozen(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            if not frozen.is_set():
                frozen.set()
                await thaw.wait()
            return await super().respond(ask)

    genie = genie_of(desk, Frozen(thorough.fn), skills)
    a, inputs = desk.run(), {"metadata": METADATA, "output": Verdict}
    zombie = asyncio.create_task(desk.assign(genie, run=a, **inputs))
    await asyncio.wait_for(frozen.wait(), 60)
    answer = await desk.assign(genie, run=desk.run(), **inputs)
    before = await desk.entries()
    acts = list(effects.acts)
    thaw.set()
    with pytest.raises(RunEnded):
        await zombie

    assert answer.output == VERDICT
    assert await desk.entries() == before
    assert effects.acts == acts


async def test_the_owner_whose_append_is_refused_proves_claims_anew_and_goes_on(
    desk, skills, effects
):
    """A zombie claims after the owner: the newest claim is not the owner's."""
    genie = genie_of(desk, thorough, skills)

    def zombie_claims() -> None:
        failpoint.disarm("skill.after_effect")
        desk.store.submit(
            lambda connection: (
                connection.exec_driver_sql("UPDATE tasks SET epoch = epoch + 1")
                and connection.exec_driver_sql("UPDATE conversations SET epoch = epoch + 1")
                and None
            )
        )

    failpoint.arm("skill.after_effect", zombie_claims)
    run = desk.run()
    answer = await desk.assign(genie, run=run, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert run.proofs > 1
    assert effects.of("approve") == ["t1.1.2.1"]
    assert (await desk.row(schema.tasks, "t1.1")).epoch == 3


async def test_a_conversation_that_changed_is_read_again(desk, skills, effects):
    """A predecessor's last append lands between this run's reading and its next append."""
    genie = genie_of(desk, thorough, skills)

    def predecessor_appends() -> None:
        failpoint.disarm("model.after")
        desk.store.submit(
            lambda connection: (
                connection.exec_driver_sql(
                    "INSERT INTO entries (conversation_id, seq, task_id, kind, body, at) "
                    "SELECT 'c1.1', last_seq + 1, 't1.1', 'asked_again', "
                    '\'{"problems": ["p"], "text": "Again."}\', 0 FROM conversations'
                )
                and connection.exec_driver_sql("UPDATE conversations SET last_seq = last_seq + 1")
                and None
            )
        )

    failpoint.arm("model.after", predecessor_appends)
    answer = await desk.assign(genie, metadata=METADATA, output=Verdict)

    assert answer.output == VERDICT
    assert (await desk.kinds())[:3] == ["told", "asked_again", "said"]
    assert effects.of("approve") == ["t1.1.3.1"]


async def test_a_result_too_large_for_a_model_says_that_the_work_was_done(desk):
    @desk.project.skill(effect="read")
    async def dump() -> str:
        """Dump."""
        return "x" * 300_000

    @playbook
    def asks(turn: Turn):
        return Call("dump") if turn.number == 1 else Answer(turn.results[0].error)

    answer = await desk.assign(genie_of(desk, asks, [dump]))

    assert answer.output == (
        "dump has done its work, but its result has 300,002 characters, and 262,144 is the most. "
        "Do not repeat the call."
    )


async def test_the_result_of_an_effect_that_ends_after_its_run_is_still_recorded(desk):
    acting, finish = asyncio.Event(), asyncio.Event()

    @desk.project.skill()
    async def pay() -> str:
        """Pay."""
        acting.set()
        await finish.wait()
        return "paid"

    @playbook
    def asks(turn: Turn):
        return Call("pay") if turn.number == 1 else Answer("never")

    working = asyncio.create_task(desk.assign(genie_of(desk, asks, [pay])))
    await asyncio.wait_for(acting.wait(), 60)
    desk.run()  # the first run is over
    finish.set()
    with pytest.raises(RunEnded):
        await working

    assert await desk.kinds() == ["told", "said", "intent", "result"]


async def test_stopped_at_each_boundary_in_turn_nothing_is_lost_and_nothing_is_done_twice(
    desk, skills, effects
):
    """The same task as often as it has boundaries, stopped at the first, the second, …"""
    genie = genie_of(desk, thorough, skills)
    inputs = {"metadata": METADATA, "output": Verdict}
    here, hits = threading.current_thread(), 0
    for nth in range(1, 100):
        effects.acts.clear()
        hits = 0

        def stop(nth: int = nth) -> None:
            nonlocal hits
            if threading.current_thread() is here:
                hits += 1
                if hits == nth:
                    raise Killed

        failpoint.arm("*", stop)
        try:
            await desk.assign(genie, job=f"j{nth}", **inputs)
        except Killed:
            pass
        else:
            break
        finally:
            failpoint.disarm("*")
        working = asyncio.create_task(desk.assign(genie, job=f"j{nth}", **inputs))
        waiting = asyncio.create_task(desk.next_wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            paid = bool(effects.of("pay"))
            said = {"resolution": "happened", "result": "paid 100"} if paid else None
            await desk.answer(waiting.result().id, said or {"resolution": "did_not_happen"})
        waiting.cancel()
        answer = await working

        assert answer.output == VERDICT
        assert [a.status for a in answer.actions] == ["ok", "ok", "ok"]
        assert set(effects.of("approve")) == {f"t{nth}.1.2.1"}
        assert effects.of("pay") == [f"t{nth}.1.7.0"]
    assert nth > 20


async def test_a_payment_done_again_and_cut_off_again_is_unknown_again(desk, effects, lost_pay):
    genie = genie_of(desk, payer, [lost_pay])
    working = asyncio.create_task(desk.assign(genie))
    first = await desk.next_wait()

    def stop() -> None:
        raise Killed

    failpoint.arm("skill.after_effect", stop)
    await desk.answer(first.id, {"resolution": "did_not_happen"})
    with pytest.raises(Killed):
        await working
    failpoint.disarm("skill.after_effect")
    working = asyncio.create_task(desk.assign(genie))
    second = await desk.next_wait()

    assert second.id == "w1.1.2.0.1"
    assert len(effects.of("pay")) == 2
    await desk.answer(second.id, {"resolution": "happened", "result": "paid after all"})
    assert (await working).output == "paid after all"
    assert len(effects.of("pay")) == 2


async def test_a_run_that_ended_during_its_model_call_begins_nothing_new(desk, skills, effects):
    class Ending(Playbook):
        async def respond(self, ask: Ask) -> Reply:
            desk.run()  # the run is over, and nobody has claimed the task since
            return await super().respond(ask)

    with pytest.raises(RunEnded):
        await desk.assign(genie_of(desk, Ending(thorough.fn), skills), metadata=METADATA)

    assert await desk.kinds() == ["told"]
    assert effects.acts == []


@pytest.mark.parametrize("name", ["pay", "look_up"])
async def test_a_run_that_ended_after_its_intent_does_not_act(desk, skills, effects, name):
    @playbook
    def asks(turn: Turn):
        return Call(name, **({"amount": 1} if name == "pay" else {"order": "1"}))

    failpoint.arm("said.appended", desk.run)
    try:
        with pytest.raises(RunEnded):
            await desk.assign(genie_of(desk, asks, skills))
    finally:
        failpoint.disarm("said.appended")

    assert await desk.kinds() == ["told", "said", "intent"]
    assert effects.acts == []
