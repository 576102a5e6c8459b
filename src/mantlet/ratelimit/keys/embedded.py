"""IPv6 addresses that contain the IPv4 address of the client: translated, or tunnelled.

Their first 64 bits do not tell clients apart: a translator puts all of IPv4 into one /96, and a
Teredo server all of its clients, while a 6to4 client chooses among 65,536 /64 networks. So such a
client counts by its IPv4 address, as it would without the translator or the tunnel:

- NAT64 and stateless translation (RFC 6052, 2): ``64:ff9b::/96``, and the prefixes that the
  operator names; also ``::ffff:0:0:0/96`` of RFC 2765, 2.1;
- 6to4 (RFC 3056, 2): ``2002::/16``;
- Teredo (RFC 4380, 4): ``2001::/32``, whose last 32 bits are the inverted address of the client's
  NAT. The server's address would stand for all of its clients.

No client can take another's bucket: responses to such an address are sent to the IPv4 address in
it. Private and other special addresses must not be in it (RFC 6052, 3.1; RFC 3056, 2; RFC 4380),
except with a prefix that the operator names, so no client passes for one of the local network.

The prefix ``64:ff9b:1::/48`` (RFC 8215) is for translators of one network, which may use any part
of it in any of the formats of RFC 6052. Unless the operator names the part, each of its addresses
is one client.

Not looked into are ISATAP addresses (RFC 5214, 6.1), since any client can choose the interface
identifier that contains the address; those of 6rd (RFC 5969), which begin with the provider's own
prefix; and IPv4-compatible ones (RFC 4291, 2.5.5.1), which nobody uses any more. They count by
their network.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

__all__ = ["LOCAL_USE", "embedded_ipv4", "parse_translators"]

#: The prefix of translators of one network (RFC 8215).
LOCAL_USE: Final = IPv6Network("64:ff9b:1::/48")

#: The well-known prefixes of translators.
_TRANSLATORS: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"))
#: The lengths that the prefix of a translator may have, in bits (RFC 6052, 2.2).
_LENGTHS: Final = (32, 40, 48, 56, 64, 96)
#: The octet in the middle, whose bits are zero (RFC 6052, 2.2).
_RESERVED: Final = 8


def parse_translators(texts: Iterable[str]) -> tuple[IPv6Network, ...]:
    """Return the prefixes of translators, the longest first.

    Raises:
        TypeError: ``texts`` is not a list of texts.
        ValueError: a text is not the prefix of a translator.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise TypeError(
            f'nat64_prefixes must be a list of networks such as ["2001:db8:64::/96"], not {texts!r}'
        )
    prefixes = map(_parse_translator, texts)
    return tuple(sorted(prefixes, key=lambda network: network.prefixlen, reverse=True))


def embedded_ipv4(address: IPv6Address, translators: Iterable[IPv6Network]) -> IPv4Address | None:
    """Return the IPv4 address of a client that is translated or tunnelled, else None.

    Args:
        address: the client's address.
        translators: the prefixes that the operator names; of two that overlap, the longer one
            first.
    """
    for network in translators:
        if address in network:
            return _in_prefix(address, network)
    found = address.sixtofour or (address.teredo or (None, None))[1]
    for network in _TRANSLATORS if found is None else ():
        if address in network:
            found = _in_prefix(address, network)
    return found if found is not None and found.is_global else None


def _in_prefix(address: IPv6Address, network: IPv6Network) -> IPv4Address:
    """Return the IPv4 address after the prefix of a translator (RFC 6052, 2.2)."""
    octets = address.packed
    start = network.prefixlen // 8
    rest = octets[start:_RESERVED] + octets[max(start, _RESERVED + 1) :]
    return IPv4Address(rest[:4])


def _parse_translator(text: str) -> IPv6Network:
    if not isinstance(text, str):
        raise TypeError(
            f'nat64_prefixes must hold networks such as "2001:db8:64::/96", not {text!r}'
        )
    try:
        network = IPv6Network(text)
    except ValueError:
        network = None
    if network is None or network.prefixlen not in _LENGTHS:
        raise ValueError(
            f'nat64_prefixes must hold IPv6 networks such as "2001:db8:64::/96", of 32, 40, 48, '
            f"56, 64 or 96 bits (RFC 6052, 2.2) and without host bits, not {text!r}"
        )
    return network
