"""Warn of a proxy that forwards requests while no proxy is named: its clients share a bucket."""

import logging
from typing import Final

from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames

__all__ = ["warn_of_proxy"]

_log = logging.getLogger("mantlet.ratelimit")
_FORWARDING: Final = HeaderNames("X-Forwarded-For", "Forwarded")
_warned: set[str] = set()


def warn_of_proxy(request: Request, peer: str | None) -> bool:
    """Return whether a request came through a proxy, and log that once per process.

    A header that names the peer itself is not counted: the server, or a middleware outside of the
    stack, has put the client's address in place of the proxy's.

    Args:
        request: a request whose key is the peer's address.
        peer: that address.
    """
    found = request.get_headers(_FORWARDING)
    if not found:
        return False
    name, value = next(iter(found.items()))
    if not value or (peer is not None and peer in value):
        return False
    if not _warned:
        _warned.add(name)
        _log.warning(
            "a request has the header %s, but no proxy is named: if %s is a proxy, all of its "
            "clients share its rate limit. Name it, such as with "
            "key=keys.client_address(trusted_proxies=[%r]); else the client has made the header "
            "up, and there is nothing to do",
            name,
            peer or "the Unix socket",
            peer or "unix",
        )
    return True
