"""aimock: a server that speaks the providers' own wire formats, as a child process of the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

VERSION = "1.43.0"
_CACHE = Path(__file__).parents[2] / ".cache" / "aimock"


@dataclass(frozen=True)
class Aimock:
    """A running server."""

    url: str

    def requests(self) -> list[dict[str, Any]]:
        """Every request it got, with `path`, `headers` and `body`."""
        with urlopen(f"{self.url}/__aimock/journal") as response:
            return json.load(response)


@pytest.fixture(scope="session")
def _aimock_script() -> Path:
    """The server's script, installed into the repository's cache when it is not there."""
    if shutil.which("npm") is None:
        pytest.skip("aimock needs Node and npm")
    script = _CACHE / VERSION / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    if not script.exists():
        subprocess.run(
            [
                *("npm", "install", "--no-audit", "--no-fund", "--no-save"),
                *("--prefix", str(_CACHE / VERSION), f"@copilotkit/aimock@{VERSION}"),
            ],
            check=True,
            capture_output=True,
        )
    return script


@pytest.fixture
def aimock(_aimock_script: Path, tmp_path: Path) -> Iterator[Callable[..., Aimock]]:
    """Start a server that answers by these fixtures; see aimock's documentation for their form."""
    running: list[subprocess.Popen[str]] = []

    def start(*fixtures: dict[str, Any]) -> Aimock:
        file = tmp_path / "fixtures.json"
        file.write_text(json.dumps({"fixtures": fixtures}))
        process = subprocess.Popen(
            ["node", str(_aimock_script), "-p", "0", "-f", str(file), "--strict"],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if "listening on " in line:
                return Aimock(line.rpartition("listening on ")[2].strip())
        raise AssertionError("aimock ended without listening")

    yield start
    for process in running:
        process.terminate()
        process.communicate()
