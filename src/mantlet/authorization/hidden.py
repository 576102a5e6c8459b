"""Requests for hidden routes: the app itself answers them, as a path that it has no route for.

The app gets another path: the segments of the requested one, from the last literal segment of the
rule's pattern on, begin with a token that nobody else knows. So no route matches, the same mounted
app answers, and a page that shows the path shows the requested one once the token is removed from
the response.
"""

import secrets
from typing import Final

from mantlet.core.response import Response
from mantlet.exceptions import ResponseTooLarge
from mantlet.http.content_encoding import DecodeError, decoders
from mantlet.http.routing import parse_pattern

__all__ = ["restore_path", "unroutable_path"]

#: Of letters alone, so that it is the same in any encoding of a path; of this process.
_TOKEN: Final = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(24))
_TOKENS: Final = tuple(_TOKEN.encode(name) for name in ("ascii", "utf-16-le", "utf-32-le"))
#: The most bytes of a response that are searched for the token, encoded and decoded.
_MAX_BODY: Final = 1024 * 1024


def unroutable_path(path: str, pattern: str | None) -> str:
    """Return a path that no route of an app matches, in place of a requested one.

    Args:
        path: the requested path within the app.
        pattern: the pattern of the rule that hides it, if there is one.
    """
    segments = path.split("/")[1:]
    odd = {"", ".", ".."}.intersection(segments[:-1]) or segments[-1] in (".", "..")
    start = 0
    if pattern is not None and not odd and path.isprintable():
        named = parse_pattern(pattern).path.strip("/").split("/")
        literals = [at for at, one in enumerate(named) if "{" not in one and one != "*"]
        start = min(literals[-1] if literals else 0, len(segments) - 1)
    marked = [_TOKEN + one if one else "" for one in segments[start:]]  # slashes stay as they are
    return "/" + ("/".join([*segments[:start], *marked]) if any(marked) else _TOKEN)


async def restore_path(response: Response) -> bool:
    """Remove the token from the app's response to such a request.

    Returns:
        False if the token may be in the response and can't be removed.
    """
    for name, value in list(response.headers):
        if _TOKEN in value:
            lines = [one.replace(_TOKEN, "") for one in response.headers.getall(name)]
            response.headers.remove(name)
            for line in lines:
                response.headers.append(name, line)
    if response.no_body or response.is_file:
        return True
    try:
        body = await response.body(_MAX_BODY)
    except ResponseTooLarge:
        return False
    coding = response.headers.get("Content-Encoding", "") or ""
    if coding.lower() not in ("", "identity"):
        return not _is_in_encoded(body, coding)
    if any(token in body for token in _TOKENS):
        response.transform(_without_token, keeps_etag=True)
    return True


def _without_token(chunk: bytes, _more: bool) -> bytes:
    for token in _TOKENS:
        chunk = chunk.replace(token, b"")
    return chunk


def _is_in_encoded(body: bytes, coding: str) -> bool:
    """Return whether the token is, or may be, in an encoded body."""
    make = decoders().get(coding.strip().lower())
    if make is None:
        return True
    text = b""
    try:
        for piece in make().pieces(body):
            text += piece
            if len(text) > _MAX_BODY:
                return True
    except DecodeError:
        return True
    return any(token in text for token in _TOKENS)
