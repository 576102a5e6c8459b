"""The scheme of the client's own connection, behind proxies that terminate TLS."""

from collections.abc import Iterable
from typing import Final

from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames
from mantlet.http.trusted_proxies import TrustedNetworks, forwarded_parameters

__all__ = ["ClientScheme"]

_PROTO: Final = "X-Forwarded-Proto"
_FOR: Final = "X-Forwarded-For"
_FORWARDED: Final = "Forwarded"
_NAMES: Final = HeaderNames(_PROTO, _FOR, _FORWARDED)
_SECURE: Final = frozenset({"https", "wss"})
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})
#: How many proxies in a row are followed.
_MAX_HOPS: Final = 64


class ClientScheme:
    """Finds the scheme that the client itself uses.

    That is the scheme that the server reports, unless the peer is a trusted proxy and forwards
    another one: in ``X-Forwarded-Proto``, or else in ``Forwarded`` (RFC 7239, 5.4). Both are read
    from the right, as far as trusted proxies have written them. The element of the outermost
    trusted proxy counts, since the client is connected to that one; a proxy that replaces
    ``X-Forwarded-Proto`` leaves a single element.

    Args:
        trusted_proxies: networks such as ``"10.0.0.0/8"``, ``"::1"``, ``"192.0.2.7"``, and
            ``"unix"`` for a peer on a Unix socket.

    Raises:
        TypeError: ``trusted_proxies`` is not a list of texts.
        ValueError: a text is not a network, has host bits set, or contains every address.

    Attributes:
        trusted_headers: names of the headers that are read; empty without a proxy.
    """

    __slots__ = ("_networks", "trusted_headers")

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._networks = TrustedNetworks(trusted_proxies)
        named = bool(self._networks.texts)
        self.trusted_headers = frozenset({_PROTO, _FOR, _FORWARDED} if named else ())

    def is_secure(self, request: Request) -> bool:
        """Return whether the client uses https, or wss."""
        scheme = request.scheme
        if self.trusted_headers and self._networks.trusts(request.client):
            scheme = self._forwarded(request) or scheme
        return scheme in _SECURE

    def _forwarded(self, request: Request) -> str | None:
        """Return the scheme that the proxies forward, or None if they forward none."""
        found = request.get_headers(_NAMES)
        value = found.get(_PROTO)
        if value:
            schemes = _elements(value)
            hops = 1 if len(schemes) == 1 else self._hops(_elements(found.get(_FOR, "")))
            # Fewer schemes than proxies: some have written none, so whose these are is unknown.
            scheme = schemes[-hops] if hops <= len(schemes) else ""
        else:
            elements = [forwarded_parameters(each) for each in _elements(found.get(_FORWARDED, ""))]
            hops = self._hops([each.get("for", "") for each in elements])
            scheme = elements[-hops].get("proto", "") if hops <= len(elements) else ""
        scheme = scheme.lower()
        return scheme if scheme in _SCHEMES else None

    def _hops(self, nodes: list[str]) -> int:
        """Return how many elements from the right the outermost trusted proxy has written its.

        Args:
            nodes: the clients that each proxy has named.
        """
        hops = 1
        for node in reversed(nodes):
            if not node or not self._networks.trusts(node):
                break
            hops += 1
        return min(hops, max(len(nodes), 1))


def _elements(value: str) -> list[str]:
    """Return the last elements of a header, its lines joined by commas."""
    return [element.strip(" \t") for element in value.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]]
