"""Recognize the pages on which frameworks show an API's documentation.

A strict Content-Security-Policy leaves them blank: they consist of a few lines of inline script and
of a library (Swagger UI, ReDoc and others) that is mostly loaded from another site. A policy that
lets them work allows inline scripts, so nothing that a client has made up may pass for one. A page
passes only if all of this holds: it is the response to a plain GET for a path at which frameworks
serve them, whose URL has no markup that the app might echo; its status is 200; it begins as a whole
HTML document, which a text or a JSON document with markup in it does not; and it loads one of these
libraries. The response to HEAD has no page, so it gets the headers of the last GET for its path.
"""

import re
from typing import Final

from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.http.content_encoding import DecodeError, decoders
from mantlet.sanitize.body_kind import HTML

__all__ = ["DocumentationPages"]

#: The most bytes of a page that are looked at.
_LOOKED_AT: Final = 64 * 1024
_UI: Final = r"swagger-?(?:ui)?|redocs?|rapi-?doc|scalar|elements|stoplight(?:-elements)?|graphi?ql"
#: The last segment of the path by default: of FastAPI, flask-smorest, APIFlask, flask-openapi3,
#: flasgger, Flask-RESTX, Connexion, Spectree, Quart-Schema, Litestar, drf-spectacular, drf-yasg,
#: Django Ninja, BlackSheep, Strawberry and Ariadne.
_PATH: Final = re.compile(
    rf"/(?:(?:api[-_]?)?docs?|{_UI}|(?:api[-_]?)?spec|documentation|reference|explorer|"
    rf"openapi|schema|asyncapi|ui|api|v[0-9]{{1,3}})(?:/(?:index|oauth2-redirect)(?:\.html)?|/)?\Z",
    re.IGNORECASE,
)
#: The most paths of pages that are remembered, for HEAD.
_MAX_PATHS: Final = 100
#: How much of the end of a path is looked at.
_LONGEST: Final = 100
#: Markup in a URL, or the beginning of it, encoded as often as you like.
_MARKUP: Final = re.compile(r"[<>\"']|%(?:25)*(?:3[ce]|2[27])", re.IGNORECASE)
#: After comments such as a license.
_DOCUMENT: Final = re.compile(
    rb"\s*(?:<!--[^>]{0,2000}>\s*){0,3}<(?:!doctype html|html|head)\b", re.IGNORECASE
)
_LIBRARY: Final = re.compile(
    rb"<(?:script|link)\s[^<>]{0,200}?(?:swagger|redoc|rapidoc|scalar|stoplight|elements|graphiql|"
    rb"asyncapi|graphql-playground|oauth2-redirect)|swaggerUIRedirectOauth2",
    re.IGNORECASE,
)


class DocumentationPages:
    """The pages with documentation that an app serves."""

    __slots__ = ("_paths",)

    def __init__(self) -> None:
        self._paths: set[str] = set()

    def include(
        self, request: Request, response: Response, media: str | None, coding: str | None
    ) -> bool:
        """Return whether a response is a page with an API's documentation.

        Args:
            request: the request.
            response: the response.
            media: its media type, if any.
            coding: its content coding, if any.
        """
        if media not in HTML or response.status != 200 or not _is_usual(request):
            return False
        path = request.path
        if request.method == "HEAD":
            return path in self._paths
        start = _decoded(response.first_chunk, coding)[:_LOOKED_AT]
        found = _DOCUMENT.match(start) is not None and _LIBRARY.search(start) is not None
        if not found:
            self._paths.discard(path)
        elif len(self._paths) < _MAX_PATHS and len(path) <= _LONGEST:
            self._paths.add(path)
        return found


def _is_usual(request: Request) -> bool:
    """Return whether frameworks serve documentation at a URL, which has no markup."""
    if request.method not in ("GET", "HEAD") or _MARKUP.search(request.query.decode("latin-1")):
        return False
    return all(  # the app may take it for any of these
        (path == "/" or _PATH.search(path[-_LONGEST:])) and not _MARKUP.search(path)
        for path in request.route_paths
    )


def _decoded(chunk: bytes, coding: str | None) -> bytes:
    """Return the first piece of a body, decoded; empty if that is not possible."""
    if not coding or coding == "identity":
        return chunk
    decoder = decoders().get(coding)
    if decoder is None:
        return b""
    try:
        return next(iter(decoder().pieces(chunk)), b"")
    except DecodeError:
        return b""
