"""The key of the client's address: the peer's, or the address that trusted proxies forward.

Anyone who sends a request can write any header, so a forwarding header is true only as far as
trusted proxies have written it. They append to its right end, so it is read from the right.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from typing import Final, NamedTuple

from mantlet._internal.options import check_int
from mantlet.core.request import Request
from mantlet.http.headers import OVERSIZED, HeaderNames
from mantlet.http.trusted_proxies import (
    MAX_NODE_LENGTH,
    Address,
    TrustedNetworks,
    parse_address,
    parse_node,
)
from mantlet.ratelimit.keys.embedded import LOCAL_USE, embedded_ipv4, parse_translators
from mantlet.ratelimit.keys.forwarding import CDN_HEADERS, HEADERS
from mantlet.ratelimit.keys.key import Key, describe, digest
from mantlet.ratelimit.keys.unnamed_proxies import warn_of_proxy

__all__ = [
    "NO_ADDRESS",
    "Hop",
    "client_address",
    "hop_reader",
]

#: The key shared by all peers without an address, such as those on a Unix socket.
NO_ADDRESS: Final = "-"
#: How many proxies in a row are followed.
_MAX_HOPS = 64
_MAX_IPV4_LENGTH = 15
#: How many parsed addresses are cached, at about 300 bytes each.
_CACHED_ADDRESSES = 4096
#: How many requests of a key are looked at for the headers of an unnamed proxy.
_WATCHED = 1000


def client_address(
    *,
    trusted_proxies: Iterable[str] = (),
    hops: int | None = None,
    header: str = "X-Forwarded-For",
    ipv6_prefix: int = 64,
    ipv4_prefix: int = 32,
    nat64_prefixes: Iterable[str] = (),
) -> Key:
    """Return the key of the client's address.

    By default that is the peer's address, as the server reports it, and no header is read. If
    proxies are named or counted, one header is read from the right: each proxy appends the address
    it received the request from, and anyone may have written the text to the left of that. If a
    proxy appended something other than an address, the request counts for that proxy. A header of
    more than 256 lines or 64 KiB is not read: the request counts for its peer.

    A server or a middleware that replaces the peer's address with a forwarded one (uvicorn's
    ``--proxy-headers``) must not be combined with these options. And a WSGI server must drop
    headers whose names contain an underscore, as most do: an app can't tell ``X_Forwarded_For``
    from the header with hyphens.

    Args:
        trusted_proxies: networks such as ``"10.0.0.0/8"``, ``"::1"``, ``"192.0.2.7"``, and
            ``"unix"`` for a peer on a Unix socket. The client is the first address outside of all
            of them, starting with the peer and going through the header from the right.
        hops: how many proxies every request comes through; the client is that many addresses from
            the right. A request with fewer addresses has bypassed the proxies, so its peer is the
            client. Use it only if the app can't be reached around the proxies: the peer's own
            address is not checked.
        header: ``"X-Forwarded-For"`` or ``"Forwarded"`` (RFC 7239), which the proxy next to the app
            must append to, or replace, in every request; or one with a single address, which that
            proxy must replace: ``"X-Real-IP"``, or that of a content delivery network, whose
            published networks are then the ``trusted_proxies``: ``"CF-Connecting-IP"``
            (Cloudflare), ``"True-Client-IP"`` (Akamai, Cloudflare), ``"Fastly-Client-IP"``,
            ``"Fly-Client-IP"``, ``"CloudFront-Viewer-Address"`` (with a port). If one of these
            occurs twice or is not an address, the request counts for the peer.
        ipv6_prefix: how many bits of an IPv6 address identify a client. The default is the smallest
            network that a customer is assigned (RFC 6177).
        ipv4_prefix: the same for IPv4, and for IPv6 addresses that contain an IPv4 one: mapped,
            translated by NAT64, or tunnelled by 6to4 or Teredo.
        nat64_prefixes: the prefixes of translators in front of the app (RFC 6052), in addition to
            the well-known ``64:ff9b::/96``; those within ``64:ff9b:1::/48`` too.

    Raises:
        TypeError: an option is of the wrong type; both ``trusted_proxies`` and ``hops`` are given;
            or neither is, though a ``header`` is named; or the header of a content delivery network
            is used with ``hops``.
        ValueError: an option has an invalid value; the message names it and says what is valid.
    """
    networks = TrustedNetworks(trusted_proxies)
    if hops is not None:
        check_int("hops", hops, most=_MAX_HOPS, unit="proxies")
        if networks.texts:
            raise TypeError(f"trusted_proxies does not go with hops; give one, such as hops={hops}")
    check_int("ipv6_prefix", ipv6_prefix, most=128, unit="bits")
    check_int("ipv4_prefix", ipv4_prefix, most=32, unit="bits")
    name = _check_header(header, networks, hops)
    options: dict[str, object] = {}
    if networks.texts:
        options["trusted_proxies"] = list(networks.texts)
    if hops is not None:
        options["hops"] = hops
    prefixes = parse_translators(nat64_prefixes)
    read = hop_reader(networks, ipv4_prefix, ipv6_prefix, prefixes)
    key = _peer_key(read, plain=ipv4_prefix == 32, watched=not options)
    if options:
        if name != "X-Forwarded-For":
            options["header"] = name
        key = _client_key(_ForwardingHeader(name, networks, hops, read), key)
    if ipv6_prefix != 64:
        options["ipv6_prefix"] = ipv6_prefix
    if ipv4_prefix != 32:
        options["ipv4_prefix"] = ipv4_prefix
    if prefixes:
        options["nat64_prefixes"] = list(map(str, prefixes))
    addresses = _address_finder(name, networks, hops, prefixes)
    trusted = [name] if networks.texts or hops is not None else []
    return Key(
        key, describe("client_address", **options), addresses=addresses, trusted_headers=trusted
    )


def _check_header(header: str, networks: "TrustedNetworks", hops: int | None) -> str:
    """Return the name of a supported header that will be read."""
    name = next((name for name in HEADERS if name.lower() == str(header).lower()), None)
    if name is None:
        known = ", ".join(f'"{name}"' for name in HEADERS)
        raise ValueError(f"header must be one of {known}, not {header!r}")
    if networks.texts:
        return name
    if name in CDN_HEADERS:
        raise TypeError(
            f"header={name!r} needs trusted_proxies, the networks that the content delivery "
            f"network publishes: anyone else can send it as well"
        )
    if hops is None and name != "X-Forwarded-For":
        raise TypeError(f"header={name!r} needs trusted_proxies or hops, else it is never read")
    return name


class Hop(NamedTuple):
    """A host that a request came through.

    Attributes:
        key: its address, or the network that counts as one client.
        trusted: whether it is a trusted proxy.
    """

    key: str
    trusted: bool


def _peer_key(
    read: Callable[[str], Hop | None], *, plain: bool, watched: bool
) -> Callable[[Request], str]:
    """Return a function that returns the key of a request's peer.

    Args:
        read: returns the host of a node.
        plain: whether an IPv4 address is its own key.
        watched: whether to warn of a proxy in front of the app, by the first requests.
    """
    left = _WATCHED if watched else 0
    #: The longest peer that is its own key.
    longest = _MAX_IPV4_LENGTH if plain else 0

    def key(request: Request) -> str:
        nonlocal left
        peer = request.client
        if left:  # threads may count one request for two, or two for one
            left = 0 if warn_of_proxy(request, peer) else max(left - 1, 0)
        if peer is None:
            return NO_ADDRESS
        if len(peer) <= longest and ":" not in peer and peer.isascii():
            return peer
        hop = read(peer)
        return digest(peer) if hop is None else hop.key

    return key


def _client_key(
    forwarding: "_ForwardingHeader", peer: Callable[[Request], str]
) -> Callable[[Request], str]:
    """Return a function that returns the key of a request's client, or else of its peer."""
    name = forwarding.name
    names = HeaderNames(name)

    def key(request: Request) -> str:
        if forwarding.is_trusted_from(request.client):
            value = request.get_headers(names).get(name)
            if value:
                return forwarding.client(value)[0] or peer(request)
        return peer(request)

    return key


def _address_finder(
    name: str,
    networks: "TrustedNetworks",
    hops: int | None,
    translators: tuple[IPv6Network, ...],
) -> Callable[[Request], tuple[Sequence[Address], bool]]:
    """Return a function that returns a client's addresses; see `Key`."""
    read = hop_reader(networks, 32, 128, None)
    peer = _peer_key(read, plain=True, watched=False)
    forwarding = _ForwardingHeader(name, networks, hops, read)
    is_read = bool(networks.texts) or hops is not None
    names = HeaderNames(name)

    def addresses(request: Request) -> tuple[Sequence[Address], bool]:
        client, is_known = None, True
        if is_read and forwarding.is_trusted_from(request.client):
            value = request.get_headers(names).get(name)
            if value:
                client, is_known = forwarding.client(value)
        address = parse_address(client or peer(request))
        if not isinstance(address, IPv6Address):
            return () if address is None else (address,), is_known
        embedded = embedded_ipv4(address, translators)
        return (address,) if embedded is None else (address, embedded), is_known

    return addresses


class _ForwardingHeader:
    """Finds the client of a request in a header that proxies append to.

    Args:
        name: the header's name.
        networks: the networks of the trusted proxies.
        hops: how many proxies there are; None to follow the networks.
        read: returns the host of a node.
    """

    __slots__ = ("_counts", "_hops", "_most", "_node", "_read", "_single", "_unix", "name")

    def __init__(
        self,
        name: str,
        networks: "TrustedNetworks",
        hops: int | None,
        read: Callable[[str], Hop | None],
    ) -> None:
        self.name = name
        self._node = HEADERS[name]
        self._single = name not in ("X-Forwarded-For", "Forwarded")
        self._hops = hops
        self._counts = hops is not None and not self._single
        self._most = hops or _MAX_HOPS
        self._unix = networks.unix
        self._read = read

    def is_trusted_from(self, peer: str | None) -> bool:
        """Return whether the header is trusted if it comes from a peer."""
        if self._hops is not None:
            return True
        if peer is None:
            return self._unix
        hop = self._read(peer)
        return hop is not None and hop.trusted

    def client(self, value: str) -> tuple[str | None, bool]:
        """Return the key of the client that the header names, or None if that is the peer.

        And whether that is the client itself, and not a proxy in its place.

        An unreadable element where a trusted proxy should have put an address counts for that
        proxy, so all requests of that kind share its bucket.

        Args:
            value: the header's value, its lines joined by commas, from a trusted peer.
        """
        # A comma inside quotes separates as well: an unbalanced quote from a client must not hide
        # the elements that proxies have appended.
        elements = [value] if self._single else value.rsplit(",", self._most)[-self._most :]
        if self._counts and len(elements) < self._most:
            return None, value != OVERSIZED
        last, is_known = None, True
        for element in reversed(elements):
            node = self._node(element.strip(" \t"))
            hop = self._read(node)
            if hop is None:
                is_known = False
            else:
                last = hop.key
            # An unreadable text may be a fragment of an element, and so may the text left of it.
            if not node if self._counts else hop is None or not hop.trusted:
                break
        return last, is_known


# -- addresses ------------------------------------------------------------------------------------


def hop_reader(
    networks: TrustedNetworks,
    ipv4_prefix: int,
    ipv6_prefix: int,
    translators: tuple[IPv6Network, ...] | None = (),
) -> Callable[[str], Hop | None]:
    """Return a function that returns the host of a node, or None if the node is unreadable.

    A proxy is trusted by its own address, whichever one is embedded in that.

    Args:
        networks: the networks of the trusted proxies.
        ipv4_prefix: how many bits of an IPv4 address identify a client.
        ipv6_prefix: the same for IPv6.
        translators: the prefixes of translators that the operator names; None to take each IPv6
            address for itself, whatever it contains.
    """

    @lru_cache(maxsize=_CACHED_ADDRESSES)
    def parse(text: str) -> Hop | None:
        address = parse_node(text)
        if address is None:
            return None
        trusted = address in networks
        if isinstance(address, IPv6Address):
            embedded = None if translators is None else embedded_ipv4(address, translators)
            if embedded is None:
                prefix = 128 if address in LOCAL_USE else ipv6_prefix
                return Hop(_network_of(address, prefix), trusted)
            address = embedded
        return Hop(_network_of(address, ipv4_prefix), trusted)

    def read(text: str) -> Hop | None:
        return parse(text) if len(text) <= MAX_NODE_LENGTH else None

    return read


def _network_of(address: Address, prefix: int) -> str:
    rest = address.max_prefixlen - prefix
    if not rest:
        return str(address)
    # ip_network() takes several times as long.
    return f"{type(address)(int(address) >> rest << rest)}/{prefix}"
