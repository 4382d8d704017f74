"""Where a connection comes from: the address behind trusted proxies, and whether it is of this machine."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

#: By which proxies tell that a connection is somebody else's.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def is_loopback(name: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def address_of(connection: HTTPConnection, proxies: Sequence[str] = ()) -> str:
    """Return the address that a connection comes from.

    Args:
        connection: the connection.
        proxies: networks of proxies whose ``X-Forwarded-For`` is believed; read from its end, the first
            address that is none of theirs counts.
    """
    peer = connection.client.host if connection.client is not None else ""
    networks = [ipaddress.ip_network(proxy) for proxy in proxies]
    if not networks or not _within(peer, networks):
        return peer
    told = [hop.strip() for hop in connection.headers.get("x-forwarded-for", "").split(",")]
    for hop in reversed([hop for hop in told if hop]):
        if not _is_address(hop):
            return peer  # no proxy writes that
        if not _within(hop, networks):
            return hop
    return peer


def is_of_this_machine(connection: HTTPConnection) -> bool:
    """Whether a connection was made on this machine, by name of this machine, and by no proxy for others."""
    client = connection.client
    if client is None or not is_loopback(client.host):
        return False
    if any(name in connection.headers for name in _FORWARDED):
        return False
    try:
        host = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return is_loopback(host)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _within(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
