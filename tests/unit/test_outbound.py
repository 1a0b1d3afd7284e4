"""HTTP to elsewhere: what is reached, what is not, and within which bounds."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lampwork import Project
from lampwork.errors import OutboundRefused, OutboundTooLarge, OutboundTooSlow, ProjectError
from lampwork.outbound import http
from lampwork.outbound.hosts import AllowedHosts, why_not
from lampwork.outbound.http import client

SHOP = AllowedHosts(("shop.example",))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.1"),
        *("198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::1"),
        *("2001:0:0:0:0:0:80ff:fffe", "2001:db8::1", "64:ff9b::a83f:8110"),
    ],
)
def test_an_address_that_not_everybody_may_reach_is_not_reached(address: str) -> None:
    assert why_not(ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_reached(address: str) -> None:
    assert why_not(ip_address(address)) is None


# --- a server on this machine, which is never public ---


Answer = Callable[[str, str], bytes]
"""What is answered to a path and a `Host`."""


@asynccontextmanager
async def answering(
    answer: Answer, *, tls: ssl.SSLContext | None = None, hold: asyncio.Event | None = None
) -> AsyncIterator[int]:
    """A server that answers so; with `hold`, the last byte of what is no redirect after that."""
    connections: set[asyncio.StreamWriter] = set()
    others = asyncio.all_tasks()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            host = head.lower().partition("\r\nhost: ")[2].partition("\r\n")[0]
            content = answer(head.split(" ")[1], host)
            if hold is not None and b" 200 " in content:
                writer.write(content[:-1])
                await hold.wait()
                content = content[-1:]
            writer.write(content)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        if hold is not None:
            hold.set()
        server.close()
        # Who gave up may have been let in just now: a connection that nobody serves is left open.
        while serving := asyncio.all_tasks() - others:
            await asyncio.wait(serving)
        for each in connections:
            each.transport.abort()


def ok(body: bytes, *headers: str) -> bytes:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers])
    return f"{head}\r\n\r\n".encode() + body


def to(url: str) -> bytes:
    head = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


class Names:
    """A resolver that says one thing after the other, and counts how often it was asked."""

    def __init__(self, *said: Sequence[str]) -> None:
        self.said = said
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.said[min(self.asked, len(self.said)) - 1]


HERE = ["127.0.0.1"]


async def test_a_name_that_is_allowed_is_reached_with_its_own_host() -> None:
    async with (
        answering(lambda path, host: ok(f"{path} {host}".encode())) as port,
        client(SHOP, resolver=Names(HERE)) as web,
    ):
        answer = await web.get(f"http://shop.example:{port}/a?b=c")

    assert answer.text == f"/a?b=c shop.example:{port}"


async def test_what_is_private_is_refused_with_what_to_do() -> None:
    async with answering(lambda path, host: ok(b"secret")) as port:
        for url in (
            f"http://127.0.0.1:{port}",
            f"http://2130706433:{port}",
            f"http://127.1:{port}",
        ):
            async with client() as web:
                with pytest.raises(OutboundRefused, match="loopback") as refused:
                    await web.get(url)
        assert "allow_hosts=" in refused.value.message


async def test_a_name_that_stands_for_something_else_the_second_time_gains_nothing() -> None:
    """Rebinding: public when it is looked at, private when it is connected to."""
    names = Names(["203.0.113.7"], HERE)
    async with answering(lambda path, host: ok(b"secret")) as port, client(resolver=names) as web:
        with pytest.raises(OutboundRefused, match=r"203\.0\.113\.7"):
            await web.get(f"http://evil.example:{port}")
        assert names.asked == 1
        with pytest.raises(OutboundRefused, match="loopback"):
            await web.get(f"http://evil.example:{port}")


async def test_it_connects_to_what_it_has_looked_at_and_asks_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "why_not", lambda address: None)
    names = Names(HERE, ["192.0.2.1"])
    async with answering(lambda path, host: ok(b"here")) as port, client(resolver=names) as web:
        assert (await web.get(f"http://public.example:{port}")).text == "here"

    assert names.asked == 1


async def test_of_several_addresses_the_ones_that_are_allowed_are_tried() -> None:
    both = Names(["10.255.255.1", "127.0.0.1"])
    here = AllowedHosts(("127.0.0.0/8",))
    async with (
        answering(lambda path, host: ok(b"here")) as port,
        client(here, resolver=both) as web,
    ):
        assert (await web.get(f"http://shop.example:{port}")).text == "here"


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "168.63.129.16", "fe80::1", "fd00:ec2::254", "100.100.100.200"),
        *("::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "::ffff:6464:64c8"),
    ],
)
async def test_an_allowed_name_does_not_stand_for_a_clouds_own_services(address: str) -> None:
    async with client(SHOP, resolver=Names([address])) as web:
        with pytest.raises(OutboundRefused, match=address):
            await web.get("http://shop.example")


async def test_each_redirect_is_looked_at() -> None:
    steps = {"/1": "/2", "/2": "/3", "/3": "http://inner.example:{port}/secret"}
    ports: list[int] = []

    def answer(path: str, host: str) -> bytes:
        step = steps.get(path)
        return ok(b"secret") if step is None else to(step.format(port=ports[0]))

    async with answering(answer) as port, client(SHOP, resolver=Names(HERE)) as web:
        ports.append(port)
        with pytest.raises(OutboundRefused, match=r"inner\.example"):
            await web.get(f"http://shop.example:{port}/1")


async def test_redirects_are_five_at_the_most_and_to_http_alone() -> None:
    def answer(path: str, host: str) -> bytes:
        number = int(path[1:] or 0)
        return ok(b"there") if number == 5 else to(f"/{number + 1}")

    async with answering(answer) as port, client(SHOP, resolver=Names(HERE)) as web:
        assert (await web.get(f"http://shop.example:{port}/0")).text == "there"
        with pytest.raises(httpx.TooManyRedirects):
            await web.get(f"http://shop.example:{port}/6")

    async with (
        answering(lambda path, host: to("file:///etc/passwd")) as port,
        client(SHOP, resolver=Names(HERE)) as web,
    ):
        with pytest.raises((OutboundRefused, httpx.UnsupportedProtocol)):
            await web.get(f"http://shop.example:{port}")


async def test_a_response_that_is_too_large_is_cut_off() -> None:
    async with (
        answering(lambda path, host: ok(b"x" * 100_001)) as port,
        client(SHOP, largest=100_000, resolver=Names(HERE)) as web,
    ):
        with pytest.raises(OutboundTooLarge, match="more than 100,000 bytes"):
            await web.get(f"http://shop.example:{port}")
        async with client(SHOP, largest=100_001, resolver=Names(HERE)) as web:
            assert len((await web.get(f"http://shop.example:{port}")).content) == 100_001


async def test_what_comes_packed_though_nobody_asked_is_refused() -> None:
    async with (
        answering(lambda path, host: ok(b"x", "Content-Encoding: gzip")) as port,
        client(SHOP, resolver=Names(HERE)) as web,
    ):
        with pytest.raises(OutboundRefused, match="answers in gzip"):
            await web.get(f"http://shop.example:{port}")


async def test_an_error_names_an_address_without_what_opens_it() -> None:
    async with (
        answering(lambda path, host: ok(b"xyz")) as port,
        client(SHOP, largest=2, resolver=Names(HERE)) as web,
    ):
        with pytest.raises(OutboundTooLarge) as refused:
            await web.get(f"http://ann:s3cret@shop.example:{port}/a.pdf?signature=s3cret")

    assert refused.value.fields["url"] == f"http://shop.example:{port}/a.pdf?…"
    assert "s3cret" not in str(refused.value.to_record())


def let_pass(seconds: float) -> None:
    """So much on the clock of the loop, where no time of a machine that is busy runs out before."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds


async def test_a_head_that_is_too_slow_is_not_waited_for() -> None:
    def answer(path: str, host: str) -> bytes:
        let_pass(3600)
        return ok(b"")

    async with (
        answering(answer, hold=asyncio.Event()) as port,
        client(SHOP, seconds=600, resolver=Names(HERE)) as web,
    ):
        with pytest.raises(OutboundTooSlow, match=r"after 600 s"):
            await web.get(f"http://shop.example:{port}")


async def test_a_body_that_is_too_slow_is_not_waited_for() -> None:
    async with (
        answering(lambda path, host: ok(b"slow"), hold=asyncio.Event()) as port,
        client(SHOP, seconds=600, resolver=Names(HERE)) as web,
        web.stream("GET", f"http://shop.example:{port}") as response,
    ):
        let_pass(3600)
        with pytest.raises(OutboundTooSlow, match=r"after 600 s"):
            await response.aread()


async def test_redirects_share_the_time_of_the_request() -> None:
    def answer(path: str, host: str) -> bytes:
        let_pass(400)
        return ok(b"slow") if path == "/slow" else to("/slow")

    async with (
        answering(answer, hold=asyncio.Event()) as port,
        client(SHOP, seconds=600, resolver=Names(HERE)) as web,
    ):
        request = web.build_request("GET", f"http://shop.example:{port}")
        with pytest.raises(OutboundTooSlow):
            await web.send(request)
        assert "lampwork_until" in request.extensions


async def test_tls_is_for_the_name_and_not_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[str] = []
    server, trusting = certified(tmp_path, "shop.example")
    server.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    monkeypatch.setattr(http, "_tls", lambda: trusting)
    both = AllowedHosts(("shop.example", "other.example"))
    async with (
        answering(lambda path, host: ok(host.encode()), tls=server) as port,
        client(both, resolver=Names(HERE)) as web,
    ):
        assert (await web.get(f"https://shop.example:{port}")).text == f"shop.example:{port}"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await web.get(f"https://other.example:{port}")

    assert asked_for == ["shop.example", "other.example"]


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for a name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    formats = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    both = folder / "both.pem"
    both.write_bytes(key.private_bytes(serialization.Encoding.PEM, *formats) + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    return server, ssl.create_default_context(cadata=pem.decode())


# --- what a project allows ---


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("ledger.internal", "LEDGER.internal.", 80, True),
        ("ledger.internal", "evil-ledger.internal", 80, False),
        ("ledger.internal:8443", "ledger.internal", 8443, True),
        ("ledger.internal:8443", "ledger.internal", 80, False),
        ("*.corp.example", "a.b.corp.example", 80, True),
        ("*.corp.example", "corp.example", 80, False),
        ("*.corp.example", "evilcorp.example", 80, False),
        ("*", "anything.example", 80, False),
    ],
)
def test_a_host_is_allowed_by_its_name(entry: str, host: str, port: int, allowed: bool) -> None:
    assert AllowedHosts((entry,)).names(host, port) is allowed


@pytest.mark.parametrize(
    ("entry", "address", "port", "allowed"),
    [
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.7:8080", "10.0.0.7", 8080, True),
        ("10.0.0.7:8080", "10.0.0.7", 80, False),
        ("[fd00::1]:8080", "fd00::1", 8080, True),
        ("fd00::/8", "fd00::1", 80, True),
    ],
)
def test_an_address_is_allowed_by_its_net(
    entry: str, address: str, port: int, allowed: bool
) -> None:
    assert AllowedHosts((entry,)).has(ip_address(address), port) is allowed


@pytest.mark.parametrize("entry", ["", " a", "http://a", "a/b", "*.*.a", "a b", "**", "a:0", 7])
def test_what_names_no_host_is_refused_where_the_project_is_defined(entry: str) -> None:
    with pytest.raises(ProjectError, match="allow_hosts has"):
        Project("shop", allow_hosts=["ledger.internal", entry])
