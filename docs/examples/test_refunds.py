from pathlib import Path

import pytest
import refunds

from lampwork import Answer, Call, testing

PAYS = testing.script(Call("wire", cents=500), Answer("paid"))


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEDGER", str(tmp_path / "ledger.db"))
    return tmp_path / "ledger.db"


def test_the_cashier_pays_and_is_not_shown_the_account() -> None:
    test = testing.opened(refunds.project, models={"cashier": PAYS})

    assert test.run(refunds.goodwill, account="DE-44-7117") == "paid"
    assert all("DE-44-7117" not in request for request in test.requests)
