"""Which hosts are reached: what is public, and what a project allows by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from lampwork.errors import ProjectError

__all__ = ["NONE", "AllowedHosts", "is_for_clouds", "shown", "why_not"]

_ANY = "*"

_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""NAT64: an IPv4 address in the last four bytes (RFC 6052, RFC 8215)."""

_COMPATIBLE = ip_network("::/96")
"""The same, long out of use (RFC 4291, 2.5.5.1)."""

_KINDS = ["loopback", "link_local", "site_local", "multicast", "unspecified", "private", "reserved"]
"""What `ipaddress` knows of an address; Python 3.11 takes site-local ones for global."""

_METADATA = frozenset(
    map(
        ip_address,
        (
            "168.63.129.16",  # Azure, a public one
            *("fd00:ec2::254", "fd00:ec2::23"),  # AWS
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
        ),
    )
)
"""Addresses behind which a cloud has its own services, beside those that are link-local."""


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """What a project allows beyond what is public, and where its files may come from.

    Entries are names (`ledger.internal`), names below one (`*.corp.example`), addresses and nets
    (`10.0.0.0/8`), each with a port or for all of them; and `*`, every public host, for files.
    """

    entries: tuple[str, ...] = ()

    @classmethod
    def of(cls, project: str, given: Iterable[str]) -> AllowedHosts:
        """Those of a project. Raises ProjectError."""
        if isinstance(given, str):
            given = [given]
        entries = tuple(given)
        for entry in entries:
            if not _is_entry(entry):
                raise ProjectError(
                    f'Project "{project}": allow_hosts has {entry!r}, which is neither a host, '
                    "*.name, an address, a net nor `*`; with :port for one port alone."
                )
        return cls(tuple(entry.lower() for entry in entries))

    def names(self, host: str, port: int) -> bool:
        """Whether a host is allowed by its name."""
        host = host.lower().rstrip(".")
        return any(
            _fits_port(its_port, port)
            and (name == host or (name.startswith("*.") and host.endswith(name[1:])))
            for name, its_port in map(_split, self.entries)
        )

    def has(self, address: IPv4Address | IPv6Address, port: int) -> bool:
        """Whether an address is allowed as such, or by its net."""
        return any(
            net is not None and _fits_port(its_port, port) and address in net
            for net, its_port in ((_net(name), at) for name, at in map(_split, self.entries))
        )

    def gives_files(self, host: str, port: int) -> bool:
        """Whether files may be given by an address there."""
        try:
            listed = self.has(ip_address(host), port)
        except ValueError:
            listed = False
        return _ANY in self.entries or listed or self.names(host, port)


NONE = AllowedHosts()
"""What is public, and no files by address."""


def why_not(address: IPv4Address | IPv6Address) -> str | None:
    """Why an address is not one that everybody may reach; None if it is."""
    inside = _inside(address)
    if inside is not None:
        return why_not(inside)
    if address in _METADATA:
        return "that of a cloud's own services"
    for what in _KINDS:
        if getattr(address, f"is_{what}", False):
            return what.replace("_", "-")
    return None if address.is_global else "not global"


def is_for_clouds(address: IPv4Address | IPv6Address) -> bool:
    """Whether a cloud has its own services there, with keys to the rest."""
    found = _inside(address) or address
    return found in _METADATA or found.is_link_local


def shown(url: str) -> str:
    """An address as it is told in errors and on record: without what opens it, a password before
    the host, a signature or a token in the query."""
    parts = urlsplit(url)
    host, query = parts.netloc.rpartition("@")[2], "…" if parts.query else ""
    return parts._replace(netloc=host, query=query, fragment="").geturl()


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in net for net in _TRANSLATED):
        return IPv4Address(address.packed[-4:])
    if address in _COMPATIBLE and int(address) > 1:
        return IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, str) or not entry or entry != entry.strip():
        return False
    if entry == _ANY or _net(entry) is not None:
        return True
    name, port = _split(entry)
    plain = name.removeprefix("*.").replace("-", "").replace(".", "").replace("_", "")
    return bool(plain) and plain.isalnum() and plain.isascii() and (port is None or port > 0)


def _split(entry: str) -> tuple[str, int | None]:
    """A host and a port, `[::1]:8443` too."""
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.startswith("[")):
        return name.strip("[]"), int(port)
    return entry.strip("[]"), None


def _net(name: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(name, strict=False)
    except ValueError:
        return None


def _fits_port(wanted: int | None, port: int) -> bool:
    return wanted is None or wanted == port
