"""A reader that was taken over: a library of the test's own stands in for pypdf and does its worst.

The process finds its libraries where this one does, so a folder in front of `sys.path` is enough.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests import documents
from tests.support import eventually

from lampwork.files import reading
from lampwork.files.reads import Broken
from lampwork.settings import ReadingCaps

PDF = documents.REAL["po.pdf"]
CAPS = ReadingCaps()


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`await evil("code")`: what became of the file when its reader ran this instead of reading."""
    folder = tmp_path / "libraries"
    (folder / "pypdf").mkdir(parents=True)
    (folder / "pypdf" / "errors.py").write_text("class LimitReachedError(Exception): pass")

    async def read(code: str, caps: ReadingCaps = CAPS) -> str:
        body = "\n        ".join(code.splitlines())
        (folder / "pypdf" / "__init__.py").write_text(
            f"class PdfReader:\n    def __init__(self, file):\n        {body}\n"
        )
        with pytest.raises(Broken) as caught:
            await reading.read(PDF, caps)
        return f"{caught.value.cap or ''} {caught.value.problem}"

    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return read


@pytest.fixture
def service() -> Iterator[int]:
    """The port of a service on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        yield server.getsockname()[1]
        with pytest.raises(TimeoutError):
            server.accept()


REFUSED = [
    "import subprocess; subprocess.run(['true'])",
    "import os; os.system('true')",
    "import os; os.fork()",
    "import os; os.execv('/bin/true', ['true'])",
    "import os; os.posix_spawn('/bin/true', ['true'], {})",
    "import socket; socket.socket()",
    "import socket; socket.getaddrinfo('localhost', 80)",
    "import ctypes; ctypes.CDLL(None)",
    "open('/etc/passwd').read()",
    "open(victim, 'w')",
    "open(victim, 'a')",
    "import os; os.open('/etc/hostname', os.O_RDONLY)",
    "import os; os.remove(victim)",
    "import os; os.rename(victim, victim + '2')",
    "import os; os.mkdir(victim + '2')",
    "import os; os.symlink(victim, victim + '2')",
    "import os; os.kill(os.getppid(), 0)",
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
]


@pytest.mark.parametrize("code", REFUSED)
async def test_code_in_the_reader_is_refused(evil, code, tmp_path):
    victim = tmp_path / "victim.py"
    victim.write_text("unharmed")

    assert "PermissionError: a file's reader may not" in await evil(
        f"victim = {str(victim)!r}\n{code}"
    )
    assert victim.read_text() == "unharmed"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["libraries", "victim.py"]


async def test_the_reader_does_not_see_the_project(evil, tmp_path, monkeypatch):
    """Nor the databases, which lie beside it: its folder is on the path of this process only."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "shop.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "project"), *sys.path])

    assert "ModuleNotFoundError" in await evil("import shop")
    file = str(tmp_path / "project" / "shop.py")
    assert "PermissionError" in await evil(f"open({file!r})")


async def test_the_reader_may_load_code_of_the_installation(evil):
    said = await evil("import xml.dom.minidom, lampwork.store.blobs\nraise ValueError('loaded')")

    assert "ValueError: loaded" in said


async def test_the_reader_has_no_environment_and_no_files_of_ours(evil, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    said = await evil(
        "import os\nraise ValueError(f'{dict(os.environ)} {sorted(os.listdir(\"/proc/self/fd\"))}')"
    )

    assert "sk-canary" not in said
    assert "LAMPWORK" not in said
    assert "['0', '1', '2', '3']" in said  # the last one lists them


def test_the_reader_stands_in_a_network_without_anything(service):
    """The wall behind the hook: also native code finds nobody."""
    code = (
        "import socket, sys; from lampwork.files.sandbox import leave_network\n"
        "if not leave_network(): sys.exit(77)\n"
        f"try: socket.create_connection(('127.0.0.1', {service}), 5)\n"
        "except OSError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if ran.returncode == 77:
        pytest.skip("this kernel grants no network of one's own")

    assert "unreachable" in ran.stdout, ran


async def test_its_memory_is_capped(evil):
    assert (await evil("x = bytearray(2 ** 30)")).startswith("memory_bytes ")
    assert (await evil("x = []\nwhile True: x.append(bytearray(2 ** 20))")).startswith(
        "memory_bytes "
    )


async def test_its_cpu_is_capped(evil):
    said = await evil("while True: pass", replace(CAPS, cpu_seconds=1))

    assert said.startswith("cpu_seconds ")


async def test_its_time_on_the_clock_is_capped(evil):
    said = await evil("import time; time.sleep(600)", replace(CAPS, seconds=1))

    assert said.startswith("seconds ")


async def test_a_reader_that_ends_itself_because_nobody_else_does_was_too_slow(evil, monkeypatch):
    monkeypatch.setattr(reading._Reading, "stop", lambda *_: None)

    said = await evil("import time; time.sleep(600)", replace(CAPS, seconds=1))

    assert said.startswith("seconds ")


@pytest.mark.parametrize(
    "said",
    [
        "'{'",
        '\'{"kind": "pdf"}\'',
        '\'{"kind": "exe", "text": "x", "notes": []}\'',
        '\'{"kind": "pdf", "text": 7, "notes": []}\'',
        '\'{"kind": "pdf", "text": null, "notes": []}\'',
        '\'{"kind": "pdf", "text": "x", "notes": ["\' + \'n\' * 3000 + \'"]}\'',
        '\'{"kind": "pdf", "text": "\' + \'x\' * 2_000_001 + \'", "notes": []}\'',
        "'[' * 100_000",
        "'x' * 100_000_000",
    ],
)
async def test_what_a_reader_says_is_not_believed_but_for_its_form(evil, said):
    problem = await evil(
        f"import os, sys\nsys.stdout.write({said})\nsys.stdout.flush()\nos._exit(0)"
    )

    assert "the process that read it" in problem


async def test_a_reader_that_dies_says_by_what(evil):
    problem = await evil("import faulthandler; faulthandler._sigsegv()")

    assert "SIGSEGV" in problem


async def test_nobody_is_left_behind(evil, tmp_path):
    """A reader that is stopped takes with it whom it started, should it have found a way."""
    reading = asyncio.create_task(evil("import time; time.sleep(600)", replace(CAPS, seconds=600)))
    await eventually(lambda: _told_of(tmp_path), "no reader was started")
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await eventually(lambda: not _told_of(tmp_path), "a reader is still there")


def _told_of(folder: Path) -> list[Path]:
    """The processes that are told of a folder as they are started, and those that these start."""
    return [each for each in Path("/proc").glob("[0-9]*") if bytes(folder) in _command(each)]


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
