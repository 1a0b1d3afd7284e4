"""The user's own tests: what is decorated is called like the function that it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lampwork import Answer, Call, Happened, SkillCall, testing

from . import desk, orders
from .orders import Refund
from .project import decide, look_up, porter_script, project, refund, review, was_refunded

CALL = SkillCall("key-1", "t1", "c1")


def test_skills_are_their_functions() -> None:
    assert look_up("o-1001").title == "Moby-Dick"
    assert asyncio.run(refund("in good shape", "o-1001", CALL)) == Refund("o-1001", "key-1")
    assert asyncio.run(was_refunded("o-1001", CALL)) == Happened(Refund("o-1001", "key-1"))


def test_a_playbook_is_its_function() -> None:
    from lampwork import Turn

    turn = Turn("How heavy?", None, (), (), (), 1, ())
    assert asyncio.run(porter_script(turn)) == Answer("about a pound")


def test_what_the_types_say_is_what_there_is(tmp_path: Path) -> None:
    verdict = desk.at_once(tmp_path, "o-1001")
    assert isinstance(verdict, orders.Verdict)
    assert verdict.status == "refund"


def test_a_script_plays_the_clerk() -> None:
    clerk = testing.script(
        Call(refund, note="torn"), Answer(orders.Verdict(status="refund", reason="torn"))
    )
    shop = testing.opened(project, models={"clerk": clerk})

    assert shop.run(decide, order_id="o-1001").reason == "torn"
    assert "o-1001" not in shop.requests[0]


async def both(home: Path) -> tuple[orders.Verdict, list[str]]:
    async with desk.opened(home) as app:
        verdict, proof = await desk.take_back(app, "o-1002")
        assert [read.skill for read in proof.keys["order_id"]] == ["look_up", "refund"]
        return verdict, await desk.tonight(app)


def test_the_desk_takes_books_back(tmp_path: Path) -> None:
    verdict, lines = asyncio.run(both(tmp_path))

    assert verdict.reason == "within 30 days"
    assert lines[0] == "refund"
    assert lines[2:] == [str(orders.weigh(orders.find("o-1001")))]
    assert project.recipes.keys() == {"decide", "weigh", "nightly"}
    assert review.name == "nightly"
    assert decide.name == "decide"
