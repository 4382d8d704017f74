"""Where requests may go: a name is resolved once, its addresses are checked, one of them connected to."""

import asyncio
import ipaddress
import socket

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: NAT64 (RFC 6052): the last four bytes are an IPv4 address.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(Exception):
    """A name leads to an address that is not public, and the target does not allow that."""


def is_public(address: str) -> bool:
    """Say whether an address is public: not private, loopback, link-local, shared or reserved.

    IPv6 addresses that stand for an IPv4 address are judged by that. What counts is the registry of special
    purposes (RFC 6890), as Python has it in `ipaddress`.
    """
    try:
        found: IPAddress = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (inner := _inner(found)) is not None:
        found = inner
    return found.is_global and not found.is_multicast


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return a name's addresses, in the order in which they are to be tried.

    Raises:
        ForbiddenAddressError: one of them is not public, and that is not allowed.
        OSError: the name has none.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise ForbiddenAddressError(
                    f"{host} leads to {address}, no public address (allow_private = true allows it)"
                )
    return addresses


async def connect(host: str, port: int, *, allow_private: bool) -> socket.socket:
    """Return a socket that is connected to one of a name's checked addresses.

    Raises:
        ForbiddenAddressError: one of the addresses is not public, and that is not allowed.
        OSError: none of them answers.
    """
    refused: OSError | None = None
    for address in await resolve(host, port, allow_private=allow_private):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except BaseException as error:
            connection.close()
            if not isinstance(error, OSError):
                raise
            refused = error
        else:
            return connection
    raise refused or OSError(f"{host} has no address")
