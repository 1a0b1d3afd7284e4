"""Tests of a project that can't go on."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class TestingError(LampworkError):
    """A test of a project can't go on like that."""

    __test__ = False  # for pytest, which takes classes of this name for tests


class StillWaiting(TestingError):
    """A test awaits a job that only waits for what nobody does. Fields: `job_id`, `waiting_on`."""

    status = 504


class StillExecuting(TestingError):
    """A test moves the clock, and something executes on and on. Fields: `jobs`."""

    status = 504


class CrashTestFailed(TestingError):
    """A recipe lost or doubled something when its process was killed. Fields: `boundaries`."""
