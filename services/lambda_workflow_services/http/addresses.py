"""Where a request may go: the one check of hosts and addresses.

1. What is checked is what is connected to: a name is resolved once per connection, all addresses
   that it has are checked, and the connection is made to one of these. TLS still asks for the name.
2. One address that is refused refuses the name: nobody has a public and a private one by accident.
3. Addresses that carry an IPv4 address (mapped, NAT64) are judged by that one.
4. Link-local addresses, where credentials are handed out, are open to no setting, nor are those
   of tunnels and translators that would lead there.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import httpcore

from lambda_workflow_services.http.settings import Settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

CONNECT_SECONDS_MAX: Final = 10.0  # per address; the request's own timeout comes on top

_NEVER: Final = tuple(
    ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32")
)
# IANA's special-purpose registries; what is not listed here and not global is refused as well.
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
_GLOBAL_IPV6: Final = ipaddress.IPv6Network("2000::/3")
_CARRYING_IPV4: Final = tuple(
    ipaddress.IPv6Network(text) for text in ("::ffff:0:0/96", "64:ff9b::/96", "::ffff:0:0:0/96")
)
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class Refused(Exception):
    """The request must not go there; the message says why, and what would allow it."""


class Unknown(Exception):
    """A host has no address."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, in the order in which they are to be tried."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def check_host(host: str, port: int, settings: Settings) -> None:
    """Refuse a host that HTTP_ALLOWED_HOSTS does not have.

    Raises:
        Refused: it does not.
    """
    shown = f"[{host}]" if ":" in host else host
    for allowed in settings.allowed_hosts:
        name, colon, only_port = allowed.rpartition(":")
        if not colon or not only_port.isdigit():
            name, only_port = allowed, ""
        if only_port and int(only_port) != port:
            continue
        if shown == name or (name.startswith("*.") and shown.endswith(name[1:])):
            return
    if settings.allowed_hosts:
        raise Refused(f"host {host!r}, port {port}, is not one of HTTP_ALLOWED_HOSTS")


def check_address(text: str, settings: Settings) -> str:
    """An address, as it is connected to.

    Raises:
        Refused: it is not public, and no setting allows it.
    """
    address = ipaddress.ip_address(text)
    judged = _judged(address)
    if any(each in network for each in (judged, *_tunnelled(address)) for network in _NEVER):
        raise Refused(f"{text} is a link-local address, which no setting allows")
    if _is_public(judged) or any(judged in network for network in settings.allow_private):
        return text
    raise Refused(f"{text} is no public address; HTTP_ALLOW_PRIVATE would have to have its network")


def _judged(address: IPAddress) -> IPAddress:
    if isinstance(address, ipaddress.IPv6Address):
        plain = ipaddress.IPv6Address(int(address))  # without a scope: fe80::1%eth0
        if any(plain in network for network in _CARRYING_IPV4):
            return ipaddress.IPv4Address(int(plain) & 0xFFFFFFFF)
        return plain
    return address


def _tunnelled(address: IPAddress) -> Iterable[IPAddress]:
    """Where an address may lead in a network that has a translator or a tunnel, if one allows it.

    Of IPv4-compatible addresses, 6to4, Teredo, and the prefix of local NAT64 (RFC 8215), whose
    IPv4 address may stand at four places (RFC 6052, 2.2).
    """
    if isinstance(address, ipaddress.IPv4Address):
        return
    plain = ipaddress.IPv6Address(int(address))
    number = int(plain)
    if number >> 32 == 0:
        yield ipaddress.IPv4Address(number)
    if plain.sixtofour is not None:
        yield plain.sixtofour
    if plain.teredo is not None:
        yield from plain.teredo
    if plain in _LOCAL_NAT64:
        octets = plain.packed[:8] + plain.packed[9:]  # without the one that is always 0
        yield from (ipaddress.IPv4Address(octets[at : at + 4]) for at in (6, 7, 8))
        yield ipaddress.IPv4Address(plain.packed[12:])


def _is_public(address: IPAddress) -> bool:
    if any(address in network for network in _NOT_PUBLIC) or not address.is_global:
        return False
    return isinstance(address, ipaddress.IPv4Address) or address in _GLOBAL_IPV6


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked; see the module."""

    def __init__(self, settings: Settings, resolve: Resolve) -> None:
        self._settings = settings
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of the host that answers."""
        del args, options  # timeout and source are this backend's own
        failure: Exception = Unknown(f"host {host!r} has no address")
        for address in await self._checked(host, port):
            try:
                return await self._network.connect_tcp(address, port, CONNECT_SECONDS_MAX)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _checked(self, host: str, port: int) -> Iterable[str]:
        check_host(host, port, self._settings)
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unknown(f"host {host!r} has no address: {error}") from None
        try:
            return [check_address(address, self._settings) for address in dict.fromkeys(found)]
        except Refused as refused:
            raise Refused(f"host {host!r}: {refused}") from None
