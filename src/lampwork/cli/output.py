"""How the verbs speak: JSON for programs, lines and tables for people, errors for both."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.views import BudgetView

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters with which recorded text could take a terminal over, or reverse what is read."""

_PLAIN_SIGNS = str.maketrans({"✓": "+", "✗": "x", "●": "*", "…": "~", "·": "-", "→": "->"})
"""For terminals that show no others."""

_SPACE = re.compile(r"[^\S ]+")
"""Line ends and tabs, which a cell of a table has not."""


def prepare(*, as_json: bool) -> None:
    """UTF-8, but for a terminal of another locale; a project prints nothing between the JSON."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and hasattr(stream, "reconfigure"):
            shown = stream.isatty() and not as_json
            encoding = stream.encoding if shown else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
    if as_json:
        sys.stdout = sys.stderr


def flush() -> None:
    """Write what is still buffered."""
    if sys.__stdout__ is not None:
        sys.__stdout__.flush()


def discard() -> None:
    """Write nothing more: what is still buffered must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def is_lost_by(error: OSError) -> bool:
    """Whether it was raised where something is printed, by us or by click."""
    *_, (printing, _) = traceback.walk_tb(error.__traceback__)
    return printing.f_globals["__name__"] in (__name__, "click.utils")


def say_json(value: Json) -> None:
    """Print JSON, in the order of its keys."""
    print(_written(value, indent=2), file=sys.__stdout__, flush=True)


def say_json_line(value: Json) -> None:
    """Print JSON on one line, of many."""
    print(_written(value), file=sys.__stdout__, flush=True)


def _written(value: Json, indent: int | None = None) -> str:
    """As JSON, which escapes but the first of the control characters by itself."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str = "") -> None:
    """Print a line for people."""
    print(clean(text), flush=True)


def say_on(text: str) -> None:
    """Print a piece of a line for people."""
    print(clean(text), end="", flush=True)


def warn(text: str) -> None:
    """Print a line for people beside the output."""
    print(clean(text), file=sys.stderr, flush=True)


def say_error(record: dict[str, Any], *, as_json: bool) -> None:
    """Print why it did not work."""
    if as_json:
        say_json({"error": record})
    else:
        warn(f"Error: {record['message']}")


def on_terminal() -> bool:
    """Whether a person watches the output."""
    return sys.stdout is not None and sys.stdout.isatty()  # pyright: ignore[reportUnnecessaryComparison]


def is_dumb() -> bool:
    """Whether the terminal can't take back what it has shown."""
    return os.environ.get("TERM", "dumb") in ("dumb", "unknown")


def clean(text: str) -> str:
    """The text with its control characters made visible."""
    seen = _UNSEEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return seen if _takes_signs() else seen.translate(_PLAIN_SIGNS)


def _takes_signs() -> bool:
    # Not sys.stdout, in whose place others put what has no encoding.
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "") == "utf8"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, those of numbers to the right; on a terminal rows are cut to the width."""
    cells = [list(columns), *([clean(_SPACE.sub(" ", cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns) - 1)]
    numbers = [all(row[i].isdecimal() for row in cells[1:]) for i in range(len(columns) - 1)]
    widest = shutil.get_terminal_size().columns if on_terminal() else None
    for row in cells:
        padded = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numbers, strict=False)
        ]
        line = "  ".join([*padded, row[-1]]).rstrip()
        say(line if widest is None else _shortened(line, widest))


def indented(text: str, by: str = "  ") -> str:
    """Each line of the text, moved to the right."""
    return "\n".join(f"{by}{line}" for line in text.splitlines())


def cut(text: str, length: int) -> str:
    """At most so many characters, on one line."""
    return _shortened(" ".join(text.split()), length)


def headline(text: str, length: int = 100) -> str:
    """The first line of a text, so long at the most."""
    first, *rest = text.strip().splitlines() or [""]
    return _shortened(f"{first} …" if rest else first, length)


def _shortened(line: str, length: int) -> str:
    return line if len(line) <= length else f"{line[: max(0, length - 1)]}…"


def inline(value: Json, length: int = 100) -> str:
    """A JSON value on one line."""
    return cut(json.dumps(value, ensure_ascii=False), length)


def pretty(value: Json) -> str:
    """A value in full: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def arguments(given: dict[str, Json], length: int = 60) -> str:
    """Arguments as in a call."""
    return ", ".join(f"{name}={inline(value, length)}" for name, value in given.items())


def counted(count: int, what: str) -> str:
    """How many of what."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def used(usage: Mapping[str, int]) -> str:
    """What a task took of its model: requests, tokens, money; and what of it is an estimate."""
    tokens = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
    guessed = {name: usage.get(f"estimated_{name}", 0) for name in ("tokens", "nanodollars")}
    parts = [counted(usage.get("requests", 0), "request")]
    parts[0] += _guessed(usage.get("estimated_requests", 0))
    if tokens:
        parts.append(f"{tokens:,} tokens{_guessed(guessed['tokens'])}")
    if cost := usage.get("cost_nanodollars", 0):
        more = "more than " if "unpriced_requests" in usage else ""
        dollars = guessed["nanodollars"] / 1_000_000_000
        parts.append(f"{more}${cost / 1_000_000_000:.6f}{_guessed(dollars, '$', '.6f')}")
    return ", ".join(parts)


def _guessed(count: float, unit: str = "", form: str = ",") -> str:
    return f" ({unit}{count:{form}} estimated)" if count else ""


def budget(view: BudgetView) -> str:
    """What is left of a budget, limit by limit."""
    parts: list[str] = []
    for name, limit in view.limits.items():
        if name not in view.spent:
            parts.append(f"{name} {limit:g}")
            continue
        text = f"{name.replace('_', ' ')} {view.spent[name]:,} of {limit:,}"
        if held := view.reserved.get(name):
            text += f" ({held:,} more reserved)"
        parts.append(text + _guessed(view.estimated.get(name, 0)))
    return ", ".join(parts)


def short(name: str) -> str:
    """As much of a worker's id, or of a version, as tells it from the others."""
    return name[:8]


def size(count: int) -> str:
    """How many bytes, in the unit that fits them."""
    for unit, step in (("MB", 1_000_000), ("kB", 1000)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return counted(count, "byte")


def span(since: datetime, until: datetime | None = None) -> str:
    """How long it took, or has taken."""
    return duration(((until or datetime.now(UTC)) - since).total_seconds())


def duration(seconds: float) -> str:
    """A length of time, in the unit that fits it."""
    if seconds < 1:
        return f"{max(0, seconds) * 1000:.0f} ms"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def local(moment: datetime) -> str:
    """A time as people's clocks show it, with their zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def away(moment: datetime) -> str:
    """How far a time is from now."""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"in {duration(seconds)}" if seconds >= 0 else f"{duration(-seconds)} ago"
