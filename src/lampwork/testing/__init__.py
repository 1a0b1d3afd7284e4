"""What tests of a project need, with any test runner: `from lampwork import testing`.

    async def test_a_refund_is_paid():
        models = {"cashier": testing.script(Call("wire", cents=500), Answer("paid"))}
        async with testing.opened(project, models=models) as app:
            assert await app.run(refund, account="DE-44-7117") == "paid"

Nothing of it touches the state in `./.lampwork` or asks a provider, unless it is told to.
"""

from __future__ import annotations

from lampwork.testing.app import Opening, TestApp, opened
from lampwork.testing.clock import FakeClock
from lampwork.testing.crash import Crash, CrashReport, Effect, Question, crash_everywhere
from lampwork.testing.failing import POINTS, fails_at
from lampwork.testing.recording import Recording, record, recorded
from lampwork.testing.request import Request
from lampwork.testing.script import script

__all__ = [
    "POINTS",
    "Crash",
    "CrashReport",
    "Effect",
    "FakeClock",
    "Opening",
    "Question",
    "Recording",
    "Request",
    "TestApp",
    "crash_everywhere",
    "fails_at",
    "opened",
    "record",
    "recorded",
    "script",
]
