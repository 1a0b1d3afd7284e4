from contextlib import closing
from pathlib import Path

import pytest
import refunds

from lampwork import Answer, Call, testing

PAYS = testing.script(Call("wire", cents=500), Answer("paid"))


def bookings() -> list[testing.Effect]:
    with closing(refunds.bank()) as bank:
        rows = bank.execute("select what, key from bookings").fetchall()
    return [testing.Effect(what, key) for what, key in rows]


def test_a_refund_is_paid_once_wherever_its_process_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANK", str(tmp_path / "bank.db"))
    report = testing.crash_everywhere(
        refunds.refund,
        input={"account": "DE-44-7117"},
        models={"cashier": PAYS},
        effects=bookings,
        at_most=4,
    )
    print(report)
