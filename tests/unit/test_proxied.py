"""Who speaks to the proxy before a server, and what somebody can make of it who is not to."""

from __future__ import annotations

from typing import Any

import pytest

from lampwork.acting import counted_as
from lampwork.server.proxied import BehindProxy

PROXY = ("10.0.0.1", 4711)


async def told(*headers: tuple[bytes, bytes]) -> tuple[str, str]:
    """The address and the scheme that the application sees."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": "http", "scheme": "http", "client": PROXY, "headers": list(headers)}
    await BehindProxy(app)(scope, None, None)  # type: ignore[arg-type]
    return seen[0]["client"][0], seen[0]["scheme"]


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ([b"203.0.113.7"], "203.0.113.7"),
        ([b"1.2.3.4, 203.0.113.7"], "203.0.113.7"),
        ([b"1.2.3.4", b"5.6.7.8,203.0.113.7"], "203.0.113.7"),
        ([b"1.2.3.4, 203.0.113.7:4711"], "203.0.113.7"),
        ([b"[2001:db8::1]:4711"], "2001:db8::1"),
        ([b"2001:db8::1"], "2001:db8::1"),
        ([b"203.0.113.7, unknown"], "10.0.0.1"),
        ([b""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
async def test_the_address_is_the_one_that_the_proxy_itself_has_added(
    said: list[bytes], address: str
) -> None:
    headers = [(b"x-forwarded-for", each) for each in said]

    assert (await told(*headers))[0] == address


@pytest.mark.parametrize(
    ("said", "scheme"), [(b"https", "https"), (b"http", "http"), (b"ws", "https"), (None, "https")]
)
async def test_the_scheme_is_that_of_tls_unless_the_proxy_says_otherwise(
    said: bytes | None, scheme: str
) -> None:
    headers = [] if said is None else [(b"x-forwarded-proto", said)]

    assert (await told(*headers))[1] == scheme


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.7"),
        ("unknown", "unknown"),
    ],
)
def test_of_ipv6_a_whole_net_counts_as_one(address: str, counted: str) -> None:
    assert counted_as(address) == counted
