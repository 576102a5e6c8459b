"""HTML of routes that serve what users wrote, cleaned by `mantlet.http.html`.

Such a body is a fragment, put into a page by a script or a frame's content: of a whole page, the
cleaner would leave the text. It is cleaned as a whole, since how its end is read depends on its
begin.

What is sent is in UTF-8, whatever it came in, and its ``Content-Type`` has to say so: a browser
that takes bytes for another encoding than the cleaner did may find other markup in them. A byte
order mark goes before the stated charset, as it does in browsers (HTML, 13.2.3.2), and is left out.
A charset that Python does not know is read as UTF-8. Bytes that mean nothing in it become U+FFFD.
"""

import codecs
from collections.abc import Callable, Mapping
from typing import Final

from mantlet.core.request import Request
from mantlet.http.html import HtmlPolicy, html_policy
from mantlet.http.routing import Routes

__all__ = ["CleanBody", "HtmlRoutes", "charset_of"]

#: Takes a body, and the charset that it is stated to be in, if any; returns it cleaned, in UTF-8.
CleanBody = Callable[[bytes, str], bytes]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What browsers take these labels for (Encoding, 4.2).
_LATIN: Final = frozenset({"", "ascii", "us-ascii", "iso-8859-1", "iso8859-1", "latin1", "latin-1"})


class HtmlRoutes:
    """Which requests are answered with HTML to be cleaned, and by which allow-list.

    Args:
        routes: a preset's name or a policy for each pattern, as `mantlet.http.routing` has
            them. A path alone, such as ``"/comments/*"``, is for every method.

    Raises:
        ImportError: nh3 is not installed, and there is a route.
        TypeError: a pattern or a value is of a wrong type.
        ValueError: a pattern is malformed, or there is no such preset.
    """

    __slots__ = ("_routes",)

    def __init__(self, routes: Mapping[str, str | HtmlPolicy]) -> None:
        if not isinstance(routes, Mapping):
            raise TypeError(f'html must be like {{"/comments/*": "ugc"}}, not {routes!r}')
        self._routes: Routes[CleanBody] = Routes(
            [(_pattern(route), _cleaner(route, preset)) for route, preset in routes.items()]
        )

    def for_request(self, request: Request) -> CleanBody | None:
        """Return what cleans the body of the answer to a request, or None to leave it alone."""
        found = self._routes.match(request.method, request.route_path)
        return found[0][0] if found else None


def charset_of(content_type: str | None) -> str:
    """Return the charset that a ``Content-Type`` states, or an empty text."""
    from email.message import Message  # noqa: PLC0415  # slow to import

    message = Message()
    message["Content-Type"] = content_type or "text/html"
    return message.get_content_charset("")


def _pattern(route: str) -> str:
    return f"* {route}" if str(route).startswith("/") else route


def _cleaner(route: str, preset: str | HtmlPolicy) -> CleanBody:
    try:
        policy = html_policy(preset)
    except (TypeError, ValueError) as error:
        raise type(error)(f"html[{route!r}]: {error}") from None

    def clean(body: bytes, charset: str = "utf-8") -> bytes:
        return policy.clean(_text(body, charset)).encode()

    return clean


def _text(body: bytes, charset: str) -> str:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    label = charset.strip(" \t\"'").lower()
    if label in _LATIN:
        label = "windows-1252" if label else "utf-8"
    try:
        return body.decode(label, "replace")
    except (
        LookupError,
        ValueError,
    ):  # unknown, no encoding of text, or one that takes no "replace"
        return body.decode("utf-8", "replace")
