"""What a database refuses, as an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InternalError, OperationalError

from lampwork.errors import (
    DatabaseNotWritable,
    DatabaseUrlInvalid,
    InputInvalid,
    LampworkError,
    StoreUnavailable,
)
from lampwork.place import Folder, Place

T = TypeVar("T")

CONNECT_TIMEOUT = "5"
"""Seconds that a server has to take a connection, unless its URL says `connect_timeout`."""

TRIES = 3
"""How often something is begun whose connection turns out to be lost."""

LOCK_NOT_AVAILABLE = "55P03"
_SESSION_ENDED = ("25P03", "25P04", "57P01", "57P02", "57P05")
"""With these the server ends a session: for it idles, or because somebody says so."""
_MAY_NOT = "42501"
_TOO_LARGE = "54"
"""The class of what goes beyond a limit of the server's, as a key that no index takes."""


@contextmanager
def told(place: Place) -> Generator[None]:
    """Tell of what the database refuses inside.

    Raises StoreUnavailable, DatabaseNotWritable, DatabaseUrlInvalid.
    """
    try:
        yield
    except DBAPIError as error:
        raise meaning_of(error, place) from error


def persistently(do: Callable[[], T]) -> T:
    """What `do` gives; it is begun again if its connection has been lost meanwhile.

    The server ends the session of a process that rests in a transaction, as one may on a machine
    that has too much to do.
    """
    for left in reversed(range(TRIES)):
        try:
            return do()
        except (DBAPIError, StoreUnavailable) as error:
            if not left or not was_lost(error):
                raise
    raise AssertionError("the last try returns or raises")


def was_lost(error: BaseException) -> bool:
    """Whether a connection that there had been was lost by it."""
    if isinstance(error, StoreUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    # What SQLAlchemy itself asks as it connects for the first time it does not look at like that.
    return _ended_wordless(error.orig) or sqlstate(error) in _SESSION_ENDED


def _ended_wordless(error: BaseException | None) -> bool:
    """Whether a session ended without a word; none that never came to be."""
    if not isinstance(error, psycopg.OperationalError) or error.sqlstate is not None:
        return False
    # Of a try to connect that has failed, the driver's error names the connection.
    return error.pgconn is None and not isinstance(error, psycopg.errors.ConnectionTimeout)


def sqlstate(error: BaseException) -> str | None:
    """The code that the server gave, of Postgres's appendix A; None if it is the driver's error."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def is_refusal(error: Exception) -> bool:
    """Whether it is about the database, its connection or its rights, and not about what it was
    asked."""
    state = sqlstate(error) or ""
    lost = isinstance(error, OperationalError | InterfaceError | InternalError)
    return (lost and not state.startswith(_TOO_LARGE)) or state == _MAY_NOT


def unfit(error: Exception) -> InputInvalid | None:
    """What it is to people that a text can't be kept, or be looked for; None of other errors."""
    if (sqlstate(error) or "").startswith(_TOO_LARGE):
        return InputInvalid(
            f"A text is longer than the database can keep it: {getattr(error, 'orig', error)}. "
            "Give a shorter key or name, and what is long in the input."
        )
    is_nul = isinstance(error, DataError) and sqlstate(error) is None
    if not is_nul and not isinstance(error, UnicodeEncodeError):
        return None
    return InputInvalid(
        "A text has a NUL character, or half of a surrogate pair, which the database "
        "does not keep. Leave it out, or give it encoded."
    )


def meaning_of(error: Exception, place: Place) -> LampworkError:
    """What a refusal is to people: SQLAlchemy's error, or the driver's."""
    if isinstance(error, LampworkError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = " ".join(str(cause).split())
    if isinstance(place, Folder):
        return StoreUnavailable(f"{place} can't be read or written: {said}.")
    match sqlstate(error):
        case "42501":
            return DatabaseNotWritable(
                f"{place}: {said}. Let the role own the database, or make the tables as another "
                "(`lampwork migrate`) and grant this one the rights to them."
            )
        case "25006":  # read_only_sql_transaction
            return DatabaseNotWritable(
                f"{place} takes no changes: {said}. It is a standby, or set to read only: "
                "name the primary."
            )
        case "53100":  # disk_full
            return StoreUnavailable(
                f"{place} took no change, its disk is full: {said}. Make room there; what was "
                "acknowledged is kept."
            )
        case None if isinstance(cause, psycopg.ProgrammingError):
            return DatabaseUrlInvalid(f"{place} can't be connected to: {said}.")
        case None:
            return StoreUnavailable(
                f"{place} can't be reached: {_sentence(said)} Look at its address and port, at "
                "whether it has that database, at the role and its password (in a URL @ is "
                "written as %40, / as %2F), and at whether it takes connections from here."
            )
        case _:
            return StoreUnavailable(f"{place} did not do it: {said}.")


def _sentence(said: str) -> str:
    """What the driver said, which may end with a question."""
    return said if said.endswith((".", "?")) else f"{said}."
