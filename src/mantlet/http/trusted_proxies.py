"""The networks of trusted proxies, and the elements that proxies add to forwarding headers.

Anyone who sends a request can write any header, so a forwarding header is true only as far as
trusted proxies have written it.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from mantlet.http.parameters import read_parameters

__all__ = [
    "MAX_NODE_LENGTH",
    "Address",
    "TrustedNetworks",
    "forwarded_parameters",
    "parse_address",
    "parse_network",
    "parse_node",
]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: No address with a zone and a port is longer, in characters.
MAX_NODE_LENGTH: Final = 80
#: No element of ``Forwarded`` with a host name is longer, in characters.
_MAX_ELEMENT_LENGTH: Final = 512
#: Stands for peers on a Unix socket in ``trusted_proxies``.
_UNIX: Final = "unix"
# RFC 7239, 6: an address with a port, or with an obfuscated one; IPv6 in brackets.
_NODE: Final = re.compile(
    r"(?:\[([0-9A-Fa-f]*:[^\[\]]*)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[0-9A-Za-z._\-]+))?"
)
#: How many peers are remembered, by their text.
_MAX_KNOWN: Final = 256
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


def forwarded_parameters(element: str) -> dict[str, str]:
    """Return the parameters of an element of ``Forwarded``, or none if it is unreadable.

    Args:
        element: the text between two commas, such as ``for=192.0.2.60;proto=http``. A quoted value
            that contains ``=`` or ``;`` is rejected: the comma may have cut a client's own text in
            two, for example in ``host``.
    """
    pairs = read_parameters(element) if len(element) <= _MAX_ELEMENT_LENGTH else None
    if pairs is None or any("=" in value or ";" in value for value in pairs.values()):
        return {}
    return pairs


def parse_address(text: str) -> Address | None:
    """Parse an address; return None if the text is not one.

    A zone (RFC 4007, 11) is dropped, and an IPv4-mapped address (RFC 4291, 2.5.5.2) becomes the
    IPv4 one.
    """
    try:
        if ":" not in text:
            return IPv4Address(text)
        address = IPv6Address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address


def parse_node(text: str) -> Address | None:
    """Return the address of a node (RFC 7239, 6), or None if it has no readable one.

    Args:
        text: an address, with or without a port: ``192.0.2.1:8080``, ``[2001:db8::1]``,
            ``[2001:db8::1]:443``. An IPv6 address without a port may come without brackets.
    """
    match = _NODE.fullmatch(text)
    return parse_address(text if match is None else match[1] or match[2])


def parse_network(text: str) -> Network:
    """Parse a network; one of IPv4-mapped addresses becomes the IPv4 one.

    Raises:
        TypeError: it is not text.
        ValueError: it is not a network, has host bits set, or contains every address.
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
            f"trusted_proxies must not contain every address, as {text!r} does: give the number of "
            f"proxies instead, such as hops=1"
        )
    return network


class TrustedNetworks:
    """The networks of the trusted proxies.

    Args:
        texts: such as ``"10.0.0.0/8"``, ``"::1"``, and ``"unix"`` for a peer on a Unix socket.

    Attributes:
        texts: the same.
        unix: whether a peer on a Unix socket is trusted.

    Raises:
        TypeError: a network is not text, or ``texts`` is not a list of them.
        ValueError: a text is not a network, has host bits set, or contains every address.
    """

    __slots__ = ("_known", "_networks", "texts", "unix")

    def __init__(self, texts: Iterable[str]) -> None:
        if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
            raise TypeError(
                f'trusted_proxies must be a list of networks such as ["10.0.0.0/8"], not {texts!r}'
            )
        self.texts = tuple(texts)
        self.unix = _UNIX in self.texts
        self._networks = tuple(parse_network(text) for text in self.texts if text != _UNIX)
        #: Peers that have been looked up. Behind proxies there are few.
        self._known: dict[str, bool] = {}

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def trusts(self, peer: str | None) -> bool:
        """Return whether a peer is a trusted proxy.

        Args:
            peer: its node; None for a peer on a Unix socket.
        """
        if peer is None:
            return self.unix
        known = self._known.get(peer)
        if known is None:
            address = parse_node(peer) if len(peer) <= MAX_NODE_LENGTH else None
            known = address is not None and address in self
            if len(self._known) < _MAX_KNOWN and len(peer) <= MAX_NODE_LENGTH:
                self._known[peer] = known
        return known
