"""The process that reads one file: its content comes in, what was read goes out, as JSON.

`reading.py` starts it. The file is hostile until shown otherwise, so nothing of it is looked at
before `sandbox.confine`, and each library is loaded only for the kind of file that it reads.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from lampwork.files.kinds import IMAGES, READABLE, Kind
from lampwork.files.reads import Broken, Read
from lampwork.files.recognition import kind_of_text, recognised
from lampwork.files.sandbox import confine
from lampwork.settings import ReadingCaps

__all__ = ["main", "read"]


def main(caps: dict[str, Any]) -> None:
    """Read the file on stdin under these caps and say on stdout what came of it.

    `{"kind", "text", "notes"}`, or `{"problem", "cap"}`.
    """
    limits = ReadingCaps(**caps)
    confine(limits)
    try:
        said = _said(read(sys.stdin.buffer.read(), limits))
    except MemoryError:
        said = {"problem": "reading it takes too much memory", "cap": "memory_bytes"}
    except Broken as broken:
        said = {"problem": broken.problem, "cap": broken.cap}
    except Exception as error:
        # The libraries raise what they like over a damaged file.
        what = " ".join(str(error).split())[:200]
        said = {"problem": f"it is damaged: {type(error).__name__}: {what}", "cap": None}
    sys.stdout.write(json.dumps(said))
    sys.stdout.flush()


def read(content: bytes, caps: ReadingCaps) -> Read:
    """The kind of a file and its text. Raises Broken, or what a library raises."""
    try:
        kind = recognised(content)
    except ValueError as what:
        raise Broken(f"it is {what}; {READABLE} are read") from None
    if kind is None:
        return _plain(content, caps)
    module = import_module(f"lampwork.files.readers.{'image' if kind in IMAGES else kind}")
    text, notes = module.read(content, caps)
    return Read(kind, text, notes)


def _plain(content: bytes, caps: ReadingCaps) -> Read:
    from lampwork.files.readers import text

    found, notes = text.read(content, caps)
    kind: Kind = kind_of_text(found)
    return Read(kind, found, notes)


def _said(found: Read) -> dict[str, Any]:
    # A pair of surrogates that was torn apart, and NUL, are no text to anyone who stores it.
    text = found.text
    if text is not None:
        text = text.encode(errors="replace").decode().replace("\0", "\ufffd")
    return {"kind": found.kind, "text": text, "notes": list(found.notes)}
