import asyncio
from contextlib import closing
from pathlib import Path

import pytest
import refunds

from lampwork import Answer, Call, testing

PAYS = testing.script(Call("wire", cents=500), Answer("paid"))


@pytest.fixture(autouse=True)
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK", str(tmp_path / "bank.db"))


def test_the_cashier_pays_and_is_not_shown_the_account() -> None:
    test = testing.opened(refunds.project, models={"cashier": PAYS})

    assert test.run(refunds.goodwill, account="DE-44-7117") == "paid"
    assert all("DE-44-7117" not in request for request in test.requests)


def test_the_customer_is_paid_after_a_day() -> None:
    async def a_day() -> str:
        async with testing.opened(refunds.project, models={"cashier": PAYS}) as app:
            job = await app.start(refunds.refund, account="DE-44-7117")
            await app.clock.advance(days=1)
            return await app.result(job.job_id)

    assert asyncio.run(a_day()) == "paid"


def test_the_bank_is_asked_again_under_the_same_key() -> None:
    async def broken_off() -> str:
        async with testing.opened(refunds.project, models={"cashier": PAYS}) as app:
            with testing.fails_at("skill.after_effect"):
                return await app.run(refunds.goodwill, account="DE-44-7117")

    assert asyncio.run(broken_off()) == "paid"
    with closing(refunds.bank()) as opened:
        assert opened.execute("select what from bookings").fetchall() == [("500 to DE-44-7117",)]
