"""Expose headers to scripts of other origins (Fetch, 3.3.2, "CORS protocol").

A script can read only those response headers that ``Access-Control-Expose-Headers`` names, apart
from a few that are always readable.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = [
    "ALLOW_ORIGIN_LENGTH",
    "SHORTEST_NAME",
    "expose",
    "expose_added",
    "is_cors_header",
]

_ALLOW_ORIGIN: Final = "access-control-allow-origin"
_ALLOW_CREDENTIALS: Final = "access-control-allow-credentials"
_EXPOSE: Final = "Access-Control-Expose-Headers"
_EXPOSE_KEY: Final = _EXPOSE.lower()
_EXPOSE_BYTES: Final = _EXPOSE_KEY.encode()
#: By its length, most responses are known not to have the header without comparing its name.
ALLOW_ORIGIN_LENGTH: Final = len(_ALLOW_ORIGIN)

#: The names of all CORS headers begin with this.
_PREFIX: Final = "access-control-"
_PREFIX_BYTES: Final = _PREFIX.encode()
#: None of a response's is shorter: Access-Control-Max-Age.
SHORTEST_NAME: Final = 22

#: Readable without being named, never readable (Fetch, 2.2.2), or of no use to scripts.
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
        "vary",
    )
)
#: In the replies of policies, and so exposed with the headers that they add.
_IN_REPLIES: Final = ("retry-after", "www-authenticate")
#: As native names of both protocols.
_REPLY_NAMES: Final = frozenset((*_IN_REPLIES, *map(str.encode, _IN_REPLIES)))
_REPLY_LENGTHS: Final = frozenset(map(len, _IN_REPLIES))
#: Names that are not written with a capital at the beginning of each word alone.
_SPELLINGS: Final = {
    "dpop-nonce": "DPoP-Nonce",
    "ratelimit": "RateLimit",
    "ratelimit-policy": "RateLimit-Policy",
    "x-ratelimit-limit": "X-RateLimit-Limit",
    "x-ratelimit-remaining": "X-RateLimit-Remaining",
    "x-ratelimit-reset": "X-RateLimit-Reset",
    "www-authenticate": "WWW-Authenticate",
    "x-request-id": "X-Request-ID",
}


def is_cors_header(name: str | bytes) -> bool:
    """Return whether a header, by its native name, is one of CORS."""
    prefix = name[: len(_PREFIX)].lower()
    return prefix == (_PREFIX if isinstance(prefix, str) else _PREFIX_BYTES)


# Any: native pairs, as for `expose()`.
def expose_added(headers: Mapping[Any, Any], pairs: Iterable[Any]) -> list[Any]:
    """Expose headers that policies add to a response, where a policy allows an origin to read it.

    Args:
        headers: the native pairs that are added, by their names in lower case; an empty pair is
            left out.
        pairs: the native pairs of the response that they are added to.

    Returns:
        The pairs, with the names, and those of `_IN_REPLIES` that the response has, joined to the
        policy's own ``Access-Control-Expose-Headers``.
    """
    is_text = isinstance(next(filter(None, headers), ""), str)
    own = headers.get(_EXPOSE_KEY if is_text else _EXPOSE_BYTES)
    names = tuple(headers)
    for name, _ in pairs:
        if len(name) in _REPLY_LENGTHS and name.lower() in _REPLY_NAMES:
            names += (name.lower(),)
    added = [pair for pair in headers.values() if pair and pair is not own]
    return added + _exposing(own, names, is_text)


# Any: native pairs and names.
@lru_cache(maxsize=256)  # one for each combination of names that policies add
def _exposing(own: Any, added: tuple[Any, ...], is_text: bool) -> list[Any]:
    """Return the header that exposes others, in a list that is empty if there is none."""
    names = [name.strip(" \t") for name in _text(own[1]).split(",")] if own else []
    if "*" in names:  # never with credentials
        return [own]
    known = _NOT_EXPOSED.union(map(str.lower, names))
    wanted = dict.fromkeys(_text(name) for name in added if name is not None)
    names += [
        _SPELLINGS.get(name, name.title())
        for name in wanted
        if name not in known and not is_cors_header(name)
    ]
    if not names:
        return []
    value = ", ".join(names)
    return [(_EXPOSE, value) if is_text else (_EXPOSE_BYTES, value.encode("latin-1"))]


# Any: native pairs, of bytes under ASGI and of str under WSGI.
def expose(pairs: list[Any], added: Iterable[Any]) -> list[Any]:
    """Expose the headers that policies add to a response, if it has CORS headers.

    Args:
        pairs: the native pairs of the response, without those that are added.
        added: the native names of the headers that are added, in lower case.

    Returns:
        The pairs; if they contain ``Access-Control-Allow-Origin``, with the names, and those of
        `_IN_REPLIES` that they have, joined to the app's own ``Access-Control-Expose-Headers``.
        They are unchanged if that is ``*``, which is a mere name where credentials are allowed
        (Fetch, 3.3.3).
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(_text(name).lower(), []).append(_text(value))
    if _ALLOW_ORIGIN not in values:
        return pairs
    key = _EXPOSE_KEY
    listed = [name.strip(" \t") for value in values.get(key, ()) for name in value.split(",")]
    own = [name for name in listed if name]
    if "*" in own and values.get(_ALLOW_CREDENTIALS) != ["true"]:
        return pairs
    known = _NOT_EXPOSED.union(map(str.lower, own))
    wanted = [_text(name) for name in added] + [name for name in _IN_REPLIES if name in values]
    names = [_SPELLINGS.get(name, name.title()) for name in wanted if name not in known]
    if not names:
        return pairs
    value = ", ".join(own + names)
    is_text = isinstance(pairs[0][0], str)
    header = (_EXPOSE, value) if is_text else (key.encode(), value.encode("latin-1"))
    return [pair for pair in pairs if _text(pair[0]).lower() != key] + [header]


def _text(native: str | bytes) -> str:
    return native if isinstance(native, str) else native.decode("latin-1")
