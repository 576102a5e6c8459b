"""The headers in which proxies name the client, and the address in each of their elements."""

from collections.abc import Callable
from typing import Final

from mantlet.http.trusted_proxies import forwarded_parameters

__all__ = ["CDN_HEADERS", "HEADERS", "forwarded_node", "viewer_node"]


def forwarded_node(element: str) -> str:
    """Return the ``for`` node of an element of ``Forwarded``, or "" if it is unreadable.

    Args:
        element: the text between two commas, such as ``for=192.0.2.60;proto=http``.
    """
    return forwarded_parameters(element).get("for", "")


def viewer_node(value: str) -> str:
    """Return the address of ``CloudFront-Viewer-Address``, or "" if it is unreadable.

    Args:
        value: an address, a colon and a port; IPv6 without brackets.
    """
    address, _, port = value.rpartition(":")
    return address if port.isascii() and port.isdecimal() else ""


#: The headers of content delivery networks, each with a function that returns the node of a value.
CDN_HEADERS: Final[dict[str, Callable[[str], str]]] = {
    "CF-Connecting-IP": str,
    "True-Client-IP": str,
    "Fastly-Client-IP": str,
    "Fly-Client-IP": str,
    "CloudFront-Viewer-Address": viewer_node,
}
#: The supported headers, each with a function that returns the node of an element.
HEADERS: Final[dict[str, Callable[[str], str]]] = {
    "X-Forwarded-For": str,
    "Forwarded": forwarded_node,
    "X-Real-IP": str,
    **CDN_HEADERS,
}
