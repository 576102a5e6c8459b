"""Parse hosts and origins, strictly: only as browsers serialize them (RFC 6454, 6.2; Fetch, 3.1).

A serialized origin has a scheme, a host and a port that is not the scheme's own; it has no user, no
path, no trailing slash or dot, and its host is in lower case and in ASCII. So each origin has one
spelling, and two origins are the same if their texts are. Whatever is spelled in another way was
not sent by a browser, and matches nothing.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple

__all__ = ["DEFAULT_PORTS", "Origin", "parse_host", "parse_origin", "split_port"]

#: The ports that are left out (WHATWG URL, 4.2, "special schemes").
DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
#: No name is longer (RFC 1035, 2.3.4), nor an address in brackets.
_MAX_HOST: Final = 253
#: A scheme of 32, a host and a port.
_MAX_ORIGIN: Final = 300

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.\-]{0,31}")
# Names that are used have underscores too.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
#: A last label that makes a name an address to browsers (WHATWG URL, 3.5, "ends in a number").
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")


class Origin(NamedTuple):
    """An origin in its parts (RFC 6454, 4).

    Attributes:
        scheme: in lower case.
        host: as `parse_host()` returns it.
        port: None for the scheme's own.
    """

    scheme: str
    host: str
    port: int | None


def parse_host(text: str) -> str | None:
    """Return a host in the one spelling that browsers use, or None if it is not a host.

    Args:
        text: a name in ASCII, which may have capitals and one dot at its end; an IPv4 address; or
            an IPv6 address in brackets, without a zone.
    """
    if not text.isascii() or len(text) > _MAX_HOST + 1:
        return None
    if text.startswith("["):
        return _parse_ipv6(text)
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > _MAX_HOST or not all(map(_LABEL.fullmatch, labels)):
        return None
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name))
        except AddressValueError:
            return None
    return name


def _parse_ipv6(text: str) -> str | None:
    if not text.endswith("]") or "%" in text:
        return None
    try:
        address = IPv6Address(text[1:-1])
    except AddressValueError:
        return None
    mapped = address.ipv4_mapped
    if mapped is None:
        return f"[{address.compressed}]"
    # Python 3.13 writes ::ffff:192.0.2.1, browsers do not (WHATWG URL, 3.5).
    high, low = divmod(int(mapped), 65536)
    return f"[::ffff:{high:x}:{low:x}]"


def split_port(text: str) -> tuple[str, int | None] | None:
    """Split an authority without a user into host and port (RFC 3986, 3.2).

    Returns:
        The host as it is, and the port, or None where there is none; None if the port is not a
        number from 1 to 65535, without leading zeros.
    """
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):  # "[::1]"
        return text, None
    if not _PORT.fullmatch(port) or int(port) > 65535:
        return None
    return host, int(port)


def parse_origin(text: str) -> Origin | None:
    """Return an origin as browsers serialize it, or None if the text is anything else.

    ``null`` is None too: it is the origin of every sandboxed page and of every local file, so it
    names nobody.
    """
    if len(text) > _MAX_ORIGIN:
        return None
    scheme, separator, authority = text.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return None
    parts = split_port(authority)
    if parts is None:
        return None
    host, port = parts
    if parse_host(host) != host or (port is not None and port == DEFAULT_PORTS.get(scheme)):
        return None
    return Origin(scheme, host, port)
