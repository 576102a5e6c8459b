"""Conditional requests for bodies that are filtered (RFC 9110, 13).

A filter whose result depends on the body alone keeps a strong ``ETag``: equal tags still mean equal
bytes. A body that is compressed again piece by piece differs with its pieces, so its tag is always
sent as a weak one, whether a piece of it was changed or not. Clients send such a tag back:

- ``If-None-Match`` compares weakly, so apps understand it. Where one does not, the match is found
  in its response. A 304 names the tag that the client has.
- ``If-Match`` compares strongly, so the app gets the strong tag.
- ``If-Range`` compares strongly, so a weak tag gets the whole body, as it should.
"""

import re
from collections.abc import Iterable
from typing import Final

from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.http.headers import HeaderNames

__all__ = ["restore_tags", "strengthen_tags", "weaken_tag"]

_IF_MATCH: Final = HeaderNames("If-Match")
_IF_NONE_MATCH: Final = HeaderNames("If-None-Match")
_TAG: Final = re.compile(r'(W/)?("[^"]*")')
#: Headers of a 304 besides those of a 200 (RFC 9110, 15.4.5).
_OF_BODY: Final = frozenset(
    {"content-encoding", "content-length", "content-type", "content-range", "transfer-encoding"}
)


def strengthen_tags(request: Request) -> None:
    """Give the app the strong tags in place of weak ones in ``If-Match``."""
    found = request.get_headers(_IF_MATCH)
    if found:
        value = found["If-Match"]
        if 'W/"' in value:
            request.replace_header("If-Match", _TAG.sub(r"\2", value))


def weaken_tag(request: Request, response: Response) -> Reply | None:
    """Make the tag of a response weak.

    Returns:
        A 304 if the client has this version already; else None.
    """
    tag = response.headers.get("ETag") or ""
    if not tag.startswith('"'):
        return None
    response.headers.set("ETag", f"W/{tag}")
    if response.status != 200 or request.method not in ("GET", "HEAD"):
        return None
    if tag not in dict(_asked(request)):
        return None
    return Reply(304, [pair for pair in response.headers if pair[0].lower() not in _OF_BODY])


def restore_tags(request: Request, response: Response) -> None:
    """Have a 304 name the tag that the client has, where that is the weak form of the app's."""
    asked = request.get_headers(_IF_NONE_MATCH)
    if asked and 'W/"' in asked["If-None-Match"]:
        tag = response.headers.get("ETag") or ""
        if tag.startswith('"') and dict(_asked(request)).get(tag):
            response.headers.set("ETag", f"W/{tag}")


def _asked(request: Request) -> Iterable[tuple[str, str]]:
    """Iterate over the tags in ``If-None-Match``, each with its ``W/`` or an empty text."""
    value = request.get_headers(_IF_NONE_MATCH).get("If-None-Match", "")
    return ((found[2], found[1] or "") for found in _TAG.finditer(value))
