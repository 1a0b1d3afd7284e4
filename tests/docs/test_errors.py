"""docs/errors.md lists every error that errors.py defines, in its order and its words."""

from __future__ import annotations

import re
from pathlib import Path

from lampwork import errors
from lampwork.errors import LampworkError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

DEFINED = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, LampworkError) and each is not LampworkError
]


def row(error: type[LampworkError]) -> str:
    """The error's line of the table: its meaning and its fields are those of its docstring."""
    base = error.__base__
    assert base is not None
    meaning, _, rest = " ".join((error.__doc__ or "").split()).partition(" Fields: ")
    fields = ", ".join(re.findall(r"`\w+`", rest))
    cells = [f"`{error.__name__}`", f"`{base.__name__}`", f"`{error.code}`", str(error.status)]
    return f"| {' | '.join([*cells, meaning, fields])} |".replace("  ", " ")


def test_the_table_of_errors_is_the_code() -> None:
    shown = re.findall(r"^\| `.*", PAGE.read_text(), re.MULTILINE)

    assert shown == [row(each) for each in DEFINED]


def test_every_error_is_public() -> None:
    assert {each.__name__ for each in DEFINED} <= set(errors.__all__)
