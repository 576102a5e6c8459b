"""Whose bucket a request is taken from."""

from functools import lru_cache
from ipaddress import IPv6Address

from mantlet.request import Request

__all__ = ["client_address"]

_PREFIX = 64
#: Whoever has no address, such as a peer on a Unix socket, shares this.
NOBODY = "-"


def client_address(request: Request) -> str:
    """Return the address of the peer that the server speaks with.

    An IPv6 address counts by its /64 network, which is what one customer is given (RFC 6177), and
    an IPv4-mapped one as IPv4. Header fields that a client can write are not looked at.
    """
    address = request.client
    if address is None:
        return NOBODY
    return _network(address) if ":" in address else address


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> (128 - _PREFIX) << (128 - _PREFIX))}/{_PREFIX}"
