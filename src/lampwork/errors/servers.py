"""A Lampwork server, as its client meets it."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class ServerError(LampworkError):
    """A server that is spoken to by its API."""

    status = 502


class ServerUnreachable(ServerError):
    """The server did not answer, or stopped amid its answer. Fields: `url`, and `may_be_done`:
    whether what was asked for may have been done all the same."""

    status = 503


class ServerRefused(ServerError):
    """An answer that this version has no error for, or can't read. Fields: `answer_status`, and
    `answer_code`, that of the problem if it is one."""


class NotByServer(LampworkError):
    """What is done at a folder or a database alone, asked for with the address of a server."""

    status = 422
