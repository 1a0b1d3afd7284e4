"""What is not reached over HTTP."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class OutboundError(LampworkError):
    """A skill, or a file's address, wanted something from elsewhere, and does not get it."""

    status = 502


class OutboundRefused(OutboundError):
    """An address that is not public, and that the project does not allow. Fields: `host`."""


class OutboundTooLarge(OutboundError):
    """A response that is larger than was allowed. Fields: `url`, `largest`, in bytes."""


class OutboundTooSlow(OutboundError):
    """A response that was not there in full in its time. Fields: `url`."""
