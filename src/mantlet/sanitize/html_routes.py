"""Clean the HTML of routes that serve user content, by `mantlet.http.html`.

Such a body is a fragment, inserted into a page by a script or shown in a frame; of a whole page,
the cleaner would only leave the text. It is cleaned as a whole, since the beginning determines how
the end is parsed.

The result is in UTF-8, whatever the charset of the original, and its ``Content-Type`` has to say
so: a browser that decodes it differently may find other markup in it. As in browsers, a byte order
mark takes precedence over the declared charset (HTML, 13.2.3.2); it is removed. An unknown charset
is read as UTF-8. Invalid bytes become U+FFFD.
"""

import codecs
from collections.abc import Callable, Mapping
from typing import Final

from mantlet.core.request import Request
from mantlet.http.html import HtmlPolicy, html_policy
from mantlet.http.routing import Routes

__all__ = ["CleanHtml", "HtmlRoutes", "charset_of"]

#: Takes a body and its declared charset, or an empty text; returns it cleaned, in UTF-8.
CleanHtml = Callable[[bytes, str], bytes]

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Labels that browsers read as windows-1252 (Encoding, 4.2).
_LATIN: Final = frozenset({"", "ascii", "us-ascii", "iso-8859-1", "iso8859-1", "latin1", "latin-1"})


class HtmlRoutes:
    """The routes whose HTML is cleaned, each with its allow-list.

    Args:
        routes: the name of a preset or a policy for each route pattern, such as
            ``"* /comments/*"``.

    Raises:
        ImportError: there is a route, and nh3 is not installed.
        TypeError: a pattern or a value has a wrong type.
        ValueError: a pattern is malformed, or a preset is unknown.
    """

    __slots__ = ("_routes",)

    def __init__(self, routes: Mapping[str, str | HtmlPolicy]) -> None:
        if not isinstance(routes, Mapping):
            raise TypeError(f'html must be like {{"* /comments/*": "ugc"}}, not {routes!r}')
        self._routes: Routes[CleanHtml] = Routes(
            [(route, _cleaner(route, preset)) for route, preset in routes.items()]
        )

    def for_request(self, request: Request) -> CleanHtml | None:
        """Return the function that cleans the response to a request, or None to leave it alone."""
        readings = self._routes.match_all(request.method, request.route_paths)
        cleaners = [found[0][0] for found in readings if found]
        if len(cleaners) < 2:
            return cleaners[0] if cleaners else None

        def clean(body: bytes, charset: str = "utf-8") -> bytes:
            for each in cleaners:
                body, charset = each(body, charset), "utf-8"
            return body

        return clean


def charset_of(content_type: str | None) -> str:
    """Return the charset that a ``Content-Type`` declares, or an empty text."""
    from email.message import Message  # slow to import

    message = Message()
    message["Content-Type"] = content_type or "text/html"
    return message.get_content_charset("")


def _cleaner(route: str, preset: str | HtmlPolicy) -> CleanHtml:
    try:
        policy = html_policy(preset)
    except (TypeError, ValueError) as error:
        raise type(error)(f"html[{route!r}]: {error}") from None

    def clean(body: bytes, charset: str = "utf-8") -> bytes:
        return policy.clean(_decode(body, charset)).encode()

    return clean


def _decode(body: bytes, charset: str) -> str:
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(encoding, "replace")
    label = charset.strip(" \t\"'").lower()
    if label in _LATIN:
        label = "windows-1252" if label else "utf-8"
    try:
        return body.decode(label, "replace")
    except (LookupError, ValueError):  # unknown, not a text encoding, or without "replace"
        return body.decode("utf-8", "replace")
