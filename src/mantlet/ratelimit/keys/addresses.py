"""Addresses and networks, as servers, proxies and operators write them."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from mantlet.ratelimit.keys.texts import parameters

__all__ = [
    "Hop",
    "Networks",
    "forwarded_node",
    "hop_reader",
    "parse_address",
    "parse_network",
    "parse_node",
]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: No address with a zone and a port is longer, in characters.
_LONGEST = 80
#: The same for an element of ``Forwarded`` with a host's name in it.
_LONGEST_ELEMENT = 512
#: How many addresses are kept at the ready, at about 300 bytes each.
_KNOWN = 4096
#: What stands for a peer on a Unix socket among the trusted.
_UNIX = "unix"
# RFC 7239, 6: an address with a port, or with an obfuscated one; IPv6 in brackets.
_NODE = re.compile(
    r"(?:\[([0-9A-Fa-f]*:[^\[\]]*)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[0-9A-Za-z._\-]+))?"
)
_MAPPED = IPv6Network("::ffff:0:0/96")


def parse_address(text: str) -> Address | None:
    """Return the address that a text is, or None.

    A zone (RFC 4007, 11) is left out, and an IPv4-mapped address (RFC 4291, 2.5.5.2) is the IPv4
    one.
    """
    try:
        if ":" not in text:
            return IPv4Address(text)
        address = IPv6Address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address


def parse_node(text: str) -> Address | None:
    """Return the address of a node (RFC 7239, 6), or None where it has none that can be read.

    Args:
        text: an address alone, or with a port: ``192.0.2.1:8080``, ``[2001:db8::1]``,
            ``[2001:db8::1]:443``. An IPv6 address may come without its brackets if it has no port.
    """
    match = _NODE.fullmatch(text)
    return parse_address(text if match is None else match[1] or match[2])


def forwarded_node(element: str) -> str:
    """Return the node that an element of ``Forwarded`` is for, or nothing where it can't be read.

    Args:
        element: what stands between two commas, such as ``for=192.0.2.60;proto=http``. A quoted
            value with a mark of the syntax in it is not read: it may be where a client's text, in
            ``host`` for one, was cut through.
    """
    pairs = parameters(element) if len(element) <= _LONGEST_ELEMENT else None
    if pairs is None or any("=" in value or ";" in value for value in pairs.values()):
        return ""
    return pairs.get("for", "")


def parse_network(text: str) -> Network:
    """Return the network that a text is; one of IPv4-mapped addresses as that of IPv4.

    Raises:
        TypeError: it is no text.
        ValueError: it is no network, has host bits set, or holds everybody.
    """
    if not isinstance(text, str):
        raise TypeError(f'trusted_proxies must hold networks such as "10.0.0.0/8", not {text!r}')
    try:
        network = ip_network(text, strict=False)
        address = ip_address(text.partition("/")[0])
    except ValueError:
        network = None
    if network is None or "%" in text:
        raise ValueError(
            f'trusted_proxies must hold networks such as "10.0.0.0/8", "2001:db8::/32" or '
            f'"192.0.2.7", or "unix", not {text!r}'
        )
    if address != network.network_address:
        raise ValueError(
            f'trusted_proxies must hold networks without host bits, "{network}" instead of {text!r}'
        )
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        first = IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        network = IPv4Network((first, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise ValueError(
            f"trusted_proxies must not hold everybody, as {text!r} does: say how many proxies "
            f"there are instead, such as hops=1"
        )
    return network


class Networks:
    """The networks of the trusted proxies.

    Args:
        texts: such as ``"10.0.0.0/8"``, ``"::1"``, and ``"unix"`` for a peer on a Unix socket.

    Attributes:
        texts: the same.
        unix: whether a peer on a Unix socket is trusted.

    Raises:
        TypeError: they are no texts.
        ValueError: one is no network, has host bits set, or holds everybody.
    """

    __slots__ = ("_networks", "texts", "unix")

    def __init__(self, texts: Iterable[str]) -> None:
        if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
            raise TypeError(
                f'trusted_proxies must be a list of networks such as ["10.0.0.0/8"], not {texts!r}'
            )
        self.texts = tuple(texts)
        self.unix = _UNIX in self.texts
        self._networks = tuple(parse_network(text) for text in self.texts if text != _UNIX)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


class Hop(NamedTuple):
    """A host that a request came through.

    Attributes:
        key: the address, or the network that counts as one client.
        trusted: whether it is a trusted proxy.
    """

    key: str
    trusted: bool


def hop_reader(
    networks: Networks, ipv4_prefix: int, ipv6_prefix: int
) -> Callable[[str], Hop | None]:
    """Return a function that returns the host which a node is, or None where it can't be read.

    Args:
        networks: of the trusted proxies.
        ipv4_prefix: how many bits of an IPv4 address tell a client from others.
        ipv6_prefix: the same for IPv6.
    """

    @lru_cache(maxsize=_KNOWN)
    def known(text: str) -> Hop | None:
        address = parse_node(text)
        if address is None:
            return None
        prefix = ipv4_prefix if isinstance(address, IPv4Address) else ipv6_prefix
        return Hop(_group(address, prefix), address in networks)

    def read(text: str) -> Hop | None:
        return known(text) if len(text) <= _LONGEST else None

    return read


def _group(address: Address, prefix: int) -> str:
    rest = address.max_prefixlen - prefix
    if not rest:
        return str(address)
    # An ip_network() takes several times as long.
    return f"{type(address)(int(address) >> rest << rest)}/{prefix}"
