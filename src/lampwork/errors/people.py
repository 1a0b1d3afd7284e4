"""What a caller may not do, or may only do once it is known who calls."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class SignInNeeded(LampworkError):
    """Nobody knows who calls: there is no session or key, or it is not valid (any more)."""

    status = 401


class SignInRefused(SignInNeeded):
    """No active account has that e-mail address and that password."""


class LinkInvalid(SignInNeeded):
    """A one-time link that was used, is too old, or is of no use since there are accounts."""


class TooManySignIns(LampworkError):
    """Too many attempts to sign in, to one account or from one address.

    Fields: `retry_after`, in seconds.
    """

    status = 429


class AccountsLacking(LampworkError):
    """A server that others can reach, while nobody has an account."""


class DeliveryRefused(LampworkError):
    """A delivery to a webhook that is not genuine, or too old. Fields: `reason`."""

    status = 401


class TooManyDeliveries(LampworkError):
    """Too many deliveries from one address were refused. Fields: `retry_after`, in seconds."""

    status = 429


class TooManyStreams(LampworkError):
    """Too many streams of live hints of one caller. Fields: `limit`, how many there may be."""

    status = 429


class RoleLacking(LampworkError):
    """The caller's role in the project is not enough. Fields: `role`, the one that is."""

    status = 403
