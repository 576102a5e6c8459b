"""Where a server is."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple

__all__ = ["Address", "host_address", "read_address"]

# A label has at most 63 octets, a name 253 (RFC 1035, 2.3.4). Container networks use underscores.
_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_WRITTEN = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")


class Address(NamedTuple):
    """Where a server listens.

    Attributes:
        host: a name or an IP address; for a Unix socket, its path.
        port: 0 for a Unix socket.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def host_address(host: str, port: int) -> Address | None:
    """Return the address of a host and a port, or None if there can be none."""
    if not 1 <= port <= 65535:
        return None
    if ":" in host:
        try:
            IPv6Address(host)
        except ValueError:
            return None
    elif not _NAME.fullmatch(host):
        return None
    return Address(host, port)


def read_address(written: str, default_port: int) -> Address | None:
    """Return the address that ``host``, ``host:port`` or ``[ipv6]:port`` says, or None."""
    match = _WRITTEN.fullmatch(written)
    if match is None or (match["v6"] and ":" not in match["v6"]):
        return None
    return host_address(match["v6"] or match["name"], int(match["port"] or default_port))
