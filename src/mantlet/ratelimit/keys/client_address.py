"""The client's address: the peer's, or the one that trusted proxies say.

Whoever sends a request can write any header field, so a field is true only as far as trusted
proxies have written it. They append to its right end, which is where it is read from.
"""

from collections.abc import Callable, Iterable
from typing import Final

from mantlet._internal.options import check_int
from mantlet.core.request import Request
from mantlet.http.headers import FieldNames
from mantlet.ratelimit.keys.addresses import Hop, Networks, forwarded_node, hop_reader
from mantlet.ratelimit.keys.key import Key, described
from mantlet.ratelimit.keys.texts import digest

__all__ = ["NOBODY", "Proxies", "client_address"]

#: Whoever has no address, such as a peer on a Unix socket, shares this.
NOBODY: Final = "-"
#: How many proxies in a row are followed.
_MOST_HOPS = 64
_LONGEST_IPV4 = 15

#: The fields that are understood, and how an element of each says its node.
_HEADERS: Final[dict[str, Callable[[str], str]]] = {
    "X-Forwarded-For": str,
    "Forwarded": forwarded_node,
    "X-Real-IP": str,
}


def client_address(
    *,
    trusted_proxies: Iterable[str] = (),
    hops: int | None = None,
    header: str = "X-Forwarded-For",
    ipv6_prefix: int = 64,
    ipv4_prefix: int = 32,
) -> Key:
    """Return the key of the client's address.

    That is the peer's, as the server says it, and no header field is looked at, unless proxies are
    named or counted. Then one field is read, from the right: each proxy appends to it whom it has
    the request from, and left of that stands what anybody may have written. Where a proxy has put
    something else than an address, the request counts for that proxy.

    A server or a middleware that puts a forwarded address in the peer's place (uvicorn's
    ``--proxy-headers``) must not do so as well. And a WSGI server must drop fields whose names have
    an underscore, as most do: an app can't tell ``X_Forwarded_For`` from the one with hyphens.

    Args:
        trusted_proxies: networks such as ``"10.0.0.0/8"``, ``"::1"``, ``"192.0.2.7"``, and
            ``"unix"`` for a peer on a Unix socket. The client is the first from the right, and the
            peer before them, that is in none of them.
        hops: how many proxies every request comes through; the client is so many from the right. A
            request with fewer has come another way, and the peer is the client. Use it only if the
            app can't be reached around the proxies, since the peer is not asked who it is.
        header: ``"X-Forwarded-For"``, ``"Forwarded"`` (RFC 7239) or ``"X-Real-IP"``. The proxy next
            to the app must append to it, or replace it, in every request.
        ipv6_prefix: how many bits of an IPv6 address tell a client from others. The default is what
            a customer is given at least (RFC 6177).
        ipv4_prefix: the same for IPv4, and for IPv4-mapped IPv6.

    Raises:
        TypeError: an option is of the wrong type, or both ``trusted_proxies`` and ``hops`` are
            given.
        ValueError: an option's value is wrong; the message names it and what would be right.
    """
    networks = Networks(trusted_proxies)
    if hops is not None:
        check_int("hops", hops, most=_MOST_HOPS, unit="proxies")
        if networks.texts:
            raise TypeError(f"trusted_proxies does not go with hops; give one, such as hops={hops}")
    check_int("ipv6_prefix", ipv6_prefix, most=128, unit="bits")
    check_int("ipv4_prefix", ipv4_prefix, most=32, unit="bits")
    name = next((name for name in _HEADERS if name.lower() == str(header).lower()), None)
    if name is None:
        known = ", ".join(f'"{name}"' for name in _HEADERS)
        raise ValueError(f"header must be one of {known}, not {header!r}")
    options: dict[str, object] = {}
    if networks.texts:
        options["trusted_proxies"] = list(networks.texts)
    if hops is not None:
        options["hops"] = hops
    read = hop_reader(networks, ipv4_prefix, ipv6_prefix)
    key = _peer(read, plain=ipv4_prefix == 32)
    if options:
        if name != "X-Forwarded-For":
            options["header"] = name
        key = _client(Proxies(name, networks, hops, read), key)
    if ipv6_prefix != 64:
        options["ipv6_prefix"] = ipv6_prefix
    if ipv4_prefix != 32:
        options["ipv4_prefix"] = ipv4_prefix
    return Key(key, described("client_address", **options))


def _peer(read: Callable[[str], Hop | None], *, plain: bool) -> Callable[[Request], str]:
    """Return a function that returns the key of a request's peer.

    Args:
        read: returns the host that a node is.
        plain: whether an IPv4 address is its own key.
    """

    def key(request: Request) -> str:
        peer = request.client
        if peer is None:
            return NOBODY
        if plain and ":" not in peer and len(peer) <= _LONGEST_IPV4 and peer.isascii():
            return peer
        hop = read(peer)
        return digest(peer) if hop is None else hop.key

    return key


def _client(proxies: "Proxies", peer: Callable[[Request], str]) -> Callable[[Request], str]:
    """Return a function that returns the key of a request's client, else of its peer."""
    name = proxies.header
    names = FieldNames(name)

    def key(request: Request) -> str:
        if proxies.trust(request.client):
            field = request.get_headers(names).get(name)
            if field:
                return proxies.client(field) or peer(request)
        return peer(request)

    return key


class Proxies:
    """Reads in a header field which client a request came from.

    Args:
        header: the field's name.
        networks: those of the trusted proxies.
        hops: how many proxies stand in front; None to follow the networks.
        read: returns the host that a node is.
    """

    __slots__ = ("_counts", "_hops", "_most", "_node", "_read", "_single", "_unix", "header")

    def __init__(
        self, header: str, networks: Networks, hops: int | None, read: Callable[[str], Hop | None]
    ) -> None:
        self.header = header
        self._node = _HEADERS[header]
        self._single = header == "X-Real-IP"
        self._hops = hops
        self._counts = hops is not None and not self._single
        self._most = hops or _MOST_HOPS
        self._unix = networks.unix
        self._read = read

    def trust(self, peer: str | None) -> bool:
        """Return whether the field is believed of a peer."""
        if self._hops is not None:
            return True
        if peer is None:
            return self._unix
        hop = self._read(peer)
        return hop is not None and hop.trusted

    def client(self, field: str) -> str | None:
        """Return the key of the client that a field names, or None where that is the peer.

        What can't be read where a trusted proxy should have put an address stands for the proxy
        that it came through, so all of it shares one bucket.

        Args:
            field: the value, its lines joined by commas, that came from a trusted peer.
        """
        # A comma counts in quotes as well: what a client has left unbalanced must not swallow what
        # a proxy has appended.
        elements = [field] if self._single else field.rsplit(",", self._most)[-self._most :]
        if self._counts and len(elements) < self._most:
            return None
        last = None
        for element in reversed(elements):
            node = self._node(element.strip(" \t"))
            hop = self._read(node)
            if hop is not None:
                last = hop.key
            # What can't be read at all may be a piece of an element, and so may what is left of it.
            if not node if self._counts else hop is None or not hop.trusted:
                break
        return last
