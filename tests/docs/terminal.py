"""A terminal on which a page's commands are typed, and what they print compared with the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.warm import Command, Warm

__all__ = ["DEADLINE", "Terminal"]

DEADLINE = 120.0

_ID = re.compile(
    r"(?<=\b[jtcw])0[0-9a-z]{17}\b"  # of a job, a task, a conversation, a wait
    r"|(?<=\b127\.0\.0\.1:)\d+\b"  # the port of a server, which is any that is free
    r"|\b[0-9A-Za-z]{10}\b"  # the prefix of an API key; other words stand for themselves
)

_CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+"), "<moment>"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min|h|d)\b"), "<span>"),
    (re.compile(r"\S*/\.lampwork\b"), "<home>"),
    (re.compile(r"\bpid \d+"), "<pid>"),
    (re.compile(r"\b[0-9a-f]{16} of"), "<version> of"),
    (re.compile(r"\bto digest [0-9a-f]{16}"), "to <digest>"),
    (re.compile(r"#link=\S+"), "#link=<token>"),
    (re.compile(r" +"), " "),
]
"""What differs from run to run, and the widths of columns with it."""

_PROGRAMS = {
    "lampwork": ["-m", "lampwork"],
    "python": [],
    "curl": [str(Path(__file__).with_name("curl.py"))],
}

_LOOKS = ("jobs", "triggers", "conversations", "conversation")
"""Verbs that change nothing."""


def _steady(text: str) -> str:
    """The text without what differs from run to run, save the ids."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return text.strip()


def _fits(text: str, shown: str) -> bool:
    """Whether it is what a page shows, where a line that ends in … may go on."""
    said, there = text.splitlines(), _steady(shown).splitlines()
    return len(said) == len(there) and all(
        is_.startswith(as_[:-1]) if as_.endswith("…") else is_ == as_
        for is_, as_ in zip(said, there, strict=True)
    )


@dataclass(frozen=True)
class _Line:
    """What is typed at a prompt, as a shell reads it: a program, and where its files lead."""

    words: list[str]
    stays: bool = False
    """`&`: it goes on in the background."""
    takes: Path | None = None
    """`< FILE`."""
    leaves: Path | None = None
    """`> FILE`."""

    @classmethod
    def read(cls, text: str, folder: Path, environment: dict[str, str]) -> _Line:
        text = re.sub(r"\$(\w+)", lambda found: environment[found[1]], text)
        text = re.sub(
            r"\$\(cat (\w+)\)", lambda found: (folder / found[1]).read_text().strip(), text
        )
        words = shlex.split(text)
        stays = words[-1] == "&"
        files: dict[str, Path] = {}
        while len(words) > 2 and words[-2] in ("<", ">"):
            *words, sign, name = words
            files[sign] = folder / name
        return cls(words[:-1] if stays else words, stays, files.get("<"), files.get(">"))


@dataclass
class Terminal:
    """Types a page's commands, with the ids of this run in place of those on the page."""

    folder: Path
    warm: Warm
    ids: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ, "LOGNAME": "ann"})
    background: list[Command] = field(default_factory=list)

    def enter(self, text: str, shown: str) -> None:
        here = _ID.sub(lambda found: self.ids.get(found[0], found[0]), text)
        line = _Line.read(here, self.folder, self.environment)
        match line.words:
            case ["cd", folder]:
                self.folder /= folder
                return
            case ["export", *variables]:
                self.environment |= dict(each.split("=", 1) for each in variables)
                return
            case _:
                said = self._begin(line, shown) if line.stays else self._until(line, shown)
        assert _fits(self._as_shown(said, shown), shown), (text, said)

    def _begin(self, line: _Line, shown: str) -> str:
        """The first lines of what goes on in the background."""
        process = self._popen(line)
        self.background.append(process)
        assert process.stdout is not None
        return "".join(process.stdout.readline() for _ in shown.splitlines())

    def _until(self, line: _Line, shown: str) -> str:
        """What the command prints; one that only looks is typed again until it shows that."""
        words = line.words
        looks = words[0] == "curl" and len(words) == 2
        looks = looks or words[1] in _LOOKS or words[1::2] == ["job"]
        until = time.monotonic() + DEADLINE
        while True:
            said = self._said(line)
            fits = _fits(self._as_shown(said, shown), shown)
            if fits or not looks or time.monotonic() > until:
                return said

    def _said(self, line: _Line) -> str:
        given = None if line.takes is None else line.takes.read_text()
        out, errors = self._popen(line).communicate(given, timeout=DEADLINE)
        if line.leaves is None:
            return out
        line.leaves.write_text(out)
        return errors

    def _as_shown(self, said: str, shown: str) -> str:
        """What was said, with the page's ids; those that are new are learned in their order."""
        here, there = (list(dict.fromkeys(_ID.findall(text))) for text in (said, shown))
        known = {real: on_page for on_page, real in self.ids.items()}
        new = [each for each in there if each not in self.ids]
        fresh = zip(new, (each for each in here if each not in known), strict=False)
        learned = self.ids | dict(fresh)
        back = {real: on_page for on_page, real in learned.items()}
        text = _steady(_ID.sub(lambda found: back.get(found[0], found[0]), said))
        if _fits(text, shown):
            self.ids = learned
        return text

    def _popen(self, line: _Line) -> Command:
        program, *words = line.words
        if words[:1] == ["serve"]:
            words += ["--port", "0"]
        return self.warm.start(
            [*_PROGRAMS[program], *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL if line.takes is None else subprocess.PIPE,
            stderr=subprocess.STDOUT if line.leaves is None else subprocess.PIPE,
        )

    def close(self) -> None:
        for process in self.background:
            process.kill()
            process.communicate(timeout=DEADLINE)
