"""Expose headers to scripts of other origins (Fetch, 3.3.2, "CORS protocol").

A script can read only those response headers that ``Access-Control-Expose-Headers`` names, apart
from a few that are always readable.
"""

from collections.abc import Iterable
from typing import Any, Final

__all__ = ["ALLOW_ORIGIN_LENGTH", "expose"]

_ALLOW_ORIGIN: Final = "access-control-allow-origin"
_ALLOW_CREDENTIALS: Final = "access-control-allow-credentials"
_EXPOSE: Final = "Access-Control-Expose-Headers"
#: By its length, most responses are known not to have the header without comparing its name.
ALLOW_ORIGIN_LENGTH: Final = len(_ALLOW_ORIGIN)

#: Readable without being named, or never readable (Fetch, 2.2.2).
_NOT_EXPOSED: Final = frozenset(
    (
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
        "set-cookie",
        "set-cookie2",
    )
)
#: In the replies of policies, and so exposed with the headers that they add.
_RETRY_AFTER: Final = "retry-after"
#: Names that are not written with a capital at the beginning of each word alone.
_SPELLINGS: Final = {
    "ratelimit": "RateLimit",
    "ratelimit-policy": "RateLimit-Policy",
    "x-ratelimit-limit": "X-RateLimit-Limit",
    "x-ratelimit-remaining": "X-RateLimit-Remaining",
    "x-ratelimit-reset": "X-RateLimit-Reset",
    "x-request-id": "X-Request-ID",
}


# Any: native pairs, of bytes under ASGI and of str under WSGI.
def expose(pairs: list[Any], added: Iterable[Any]) -> list[Any]:
    """Expose the headers that policies add to a response, if it has CORS headers.

    Args:
        pairs: the native pairs of the response, without those that are added.
        added: the native names of the headers that are added, in lower case.

    Returns:
        The pairs; if they contain ``Access-Control-Allow-Origin``, with the names and
        ``Retry-After`` joined to the app's own ``Access-Control-Expose-Headers``. They are
        unchanged if that is ``*``, which is a mere name where credentials are allowed
        (Fetch, 3.3.3).
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(_text(name).lower(), []).append(_text(value))
    if _ALLOW_ORIGIN not in values:
        return pairs
    key = _EXPOSE.lower()
    listed = [name.strip(" \t") for value in values.get(key, ()) for name in value.split(",")]
    own = [name for name in listed if name]
    if "*" in own and values.get(_ALLOW_CREDENTIALS) != ["true"]:
        return pairs
    known = _NOT_EXPOSED.union(map(str.lower, own))
    wanted = [_text(name) for name in added]
    if _RETRY_AFTER in values:
        wanted.append(_RETRY_AFTER)
    names = [_SPELLINGS.get(name, name.title()) for name in wanted if name not in known]
    if not names:
        return pairs
    value = ", ".join(own + names)
    is_text = isinstance(pairs[0][0], str)
    header = (_EXPOSE, value) if is_text else (key.encode(), value.encode("latin-1"))
    return [pair for pair in pairs if _text(pair[0]).lower() != key] + [header]


def _text(native: str | bytes) -> str:
    return native if isinstance(native, str) else native.decode("latin-1")
