"""`crash_everywhere`: a recipe is killed at each of its boundaries, in processes of its own."""

from __future__ import annotations

from lampwork.testing.crash.effect import Effect, Question
from lampwork.testing.crash.everywhere import crash_everywhere
from lampwork.testing.crash.report import Crash, CrashReport

__all__ = ["Crash", "CrashReport", "Effect", "Question", "crash_everywhere"]
