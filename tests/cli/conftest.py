"""The real `lampwork`, in processes of its own, in a folder with a small project."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.shell import DEADLINE, Done, Shell, Terminal
from tests.cli.shop import PROJECT
from tests.warm import Command, Warm


@pytest.fixture
def ended() -> Callable[[Command], Done]:
    """A process, once it has ended by itself."""

    def ended(process: Command) -> Done:
        out, err = process.communicate(timeout=DEADLINE)
        return Done(process.returncode, out, err)

    return ended


@pytest.fixture
def stop(ended: Callable[[Command], Done]) -> Callable[..., Done]:
    """A process, once it has ended upon a signal."""

    def stop(process: Command, number: int = signal.SIGTERM) -> Done:
        process.send_signal(number)
        return ended(process)

    return stop


@pytest.fixture
def lampwork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: Warm) -> Iterator[Shell]:
    """`lampwork(…)`, in a folder of its own whose project is in ./project.py."""
    monkeypatch.delenv("LAMPWORK_HOME")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "project.py").write_text(PROJECT)
    shell = Shell(folder, warm)
    yield shell
    shell.end()


@pytest.fixture
def terminal(lampwork: Shell) -> Callable[..., Terminal]:
    """`terminal(…)`: a `lampwork chat …` in a terminal of its own."""

    def chat(*words: str) -> Terminal:
        return lampwork.on_terminal(
            "chat", *words, columns=300, lines=50, controlled=True, TERM="dumb"
        )

    return chat
