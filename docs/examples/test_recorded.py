import asyncio
from pathlib import Path

import pytest
import refunds

from lampwork import Answer, Call, testing

PAYS = testing.script(Call("wire", cents=500), Answer("paid"))


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What you have made of a real run, and keep beside your tests."""
    monkeypatch.setenv("BANK", str(tmp_path / "bank.db"))

    async def make() -> None:
        async with testing.opened(refunds.project, models={"cashier": PAYS}) as app:
            await app.run(refunds.goodwill, account="DE-44-7117")
            [conversation] = (await app.insights.conversations()).items
            await testing.record(app, conversation.conversation_id, tmp_path / "refund.json")

    asyncio.run(make())
    return tmp_path / "refund.json"


def test_the_cashier_pays_as_it_did(recording: Path) -> None:
    cashier = testing.recorded(recording, skills="recorded")
    test = testing.opened(refunds.project, models={"cashier": cashier})

    assert test.run(refunds.goodwill, account="DE-99-0001") == "paid"
