"""aimock: a server that speaks the providers' own wire formats, as a child process of the tests.

Its journal holds requests as it has understood them, so what was really sent is recorded on the way
to it: `Aimock.url` is that of a recorder which hands each request on, byte for byte.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lampwork.metadata.needles import needles
from lampwork.models import close, provider

VERSION = "1.43.0"
_CACHE = Path(__file__).parents[2] / ".cache" / "aimock"


@dataclass(frozen=True)
class Sent:
    """A request as it was sent."""

    path: str
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        """Its JSON."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Aimock:
    """A running server."""

    url: str
    sent: list[Sent]
    """Every request, in the order in which they came."""


@pytest.fixture(scope="session")
def _aimock_script() -> Path:
    """The server's script, installed into the repository's cache when it is not there."""
    if shutil.which("npm") is None:
        pytest.skip("aimock needs Node and npm")
    script = _CACHE / VERSION / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # by one process: half of it is there before the rest
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


@pytest.fixture(scope="session")
def _aimock_port(_aimock_script: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where it listens; each test gives it other fixtures."""
    file = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    file.write_text('{"fixtures": [{"match": {"model": "none"}, "response": {"content": "none"}}]}')
    process = subprocess.Popen(
        ["node", str(_aimock_script), "-p", "0", "-f", str(file), "--strict"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        listening = next(line for line in process.stdout if "listening on " in line)
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield int(listening.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture
def _servers() -> list[Aimock]:
    """Those that a test has started."""
    return []


@pytest.fixture(autouse=True)
def _no_request_carries_metadata(
    request: pytest.FixtureRequest, tmp_path: Path, _servers: list[Aimock]
) -> Iterator[None]:
    """After every test: no request held a metadata value of any task on record.

    A test that plants one on purpose is marked `planted`; what is sealed must not be there either.
    """
    yield
    requests = [each for server in _servers for each in server.sent]
    planted = request.node.get_closest_marker("planted") is not None
    for value, sealed in _metadata_values(tmp_path):
        if sealed or not planted:
            carried = [each for each in requests if value.casefold() in repr(each).casefold()]
            assert not carried, f"{value} is in {carried[0]}"


def _metadata_values(folder: Path) -> Iterator[tuple[str, bool]]:
    """Each text and number in the metadata of the tasks in all databases, and if it is sealed."""
    for file in folder.rglob("lampwork.db"):
        with closing(sqlite3.connect(file)) as connection:
            for metadata, sealed in connection.execute("SELECT metadata, sealed FROM tasks"):
                wanted, _ = needles(json.loads(metadata), [tuple(p) for p in json.loads(sealed)])
                yield from ((needle.text, needle.sealed) for needle in wanted)


@pytest.fixture
def aimock(_aimock_port: int, _servers: list[Aimock]) -> Iterator[Callable[..., Aimock]]:
    """Let it answer by these fixtures; see aimock's documentation for their form.

    `wire` is the one that it is used over.
    """
    with ExitStack() as running:

        def start(*fixtures: dict[str, Any], wire: str = "") -> Aimock:
            for fixture in fixtures if wire == "google" else ():
                # aimock ends calls with FUNCTION_CALL, where Gemini itself says STOP.
                if "toolCalls" in fixture["response"]:
                    fixture["response"].setdefault("finishReason", "stop")
            _control(_aimock_port, "reset", {})
            _control(_aimock_port, "fixtures", {"fixtures": fixtures})
            _servers.append(running.enter_context(_recorder(_aimock_port)))
            return _servers[-1]

        yield start


def _control(port: int, what: str, body: Any) -> None:
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        headers = {"content-type": "application/json"}
        connection.request("POST", f"/__aimock/{what}", json.dumps(body), headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()


@pytest.fixture(autouse=True)
async def _closed_models() -> AsyncIterator[None]:
    yield
    await close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which are not waited for."""
    made: list[float] = []

    async def pause(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(provider, "sleep", pause)
    return made


@pytest.fixture
async def canned() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """A server that answers so, one after the other, whatever it is asked; the last for ever.

    An answer is its content type and body; an empty body never comes.
    """
    async with AsyncExitStack() as running:

        async def start(*answers: tuple[str, str]) -> str:
            left = list(answers)

            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                kind, body = left.pop(0) if len(left) > 1 else left[0]
                if not body:
                    await reader.read()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"
                writer.write((head + body).encode())
                writer.close()

            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            await running.enter_async_context(server)
            return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        yield start


# --- the recorder ---


@contextmanager
def _recorder(port: int) -> Iterator[Aimock]:
    sent: list[Sent] = []
    handler = type("Recorder", (_Recorder,), {"port": port, "sent": sent})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    aimock = Aimock(f"http://127.0.0.1:{server.server_port}", sent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield aimock
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    port: int
    sent: list[Sent]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.sent.append(Sent(self.path, headers, body.decode()))
        with closing(HTTPConnection("127.0.0.1", self.port)) as upstream:
            try:
                upstream.request("POST", self.path, body, headers | {"accept-encoding": "identity"})
                self._hand_on(upstream.getresponse())
            except (ConnectionError, HTTPException):
                # It broke off, so this connection does: without the end of what it had begun.
                self.close_connection = True

    def _hand_on(self, response: HTTPResponse) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while chunk := response.read1():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        if response.length:
            raise HTTPException("shorter than it said")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        """Silence."""
