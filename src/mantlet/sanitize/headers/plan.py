"""Plan the changes to the headers of a response, once for each sequence of header names."""

import re
from typing import Any, Final, NamedTuple

from mantlet.http.headers import TOKEN, bytes_field, text_field
from mantlet.sanitize.headers.csp import Csp
from mantlet.sanitize.headers.security import SecurityHeaders

__all__ = [
    "MAX_CACHED",
    "NO_STORE",
    "CompiledHeaders",
    "HeaderPair",
    "HeaderPlan",
    "as_text",
]

# Any: a name and a value, as bytes under ASGI and as str under WSGI.
HeaderPair = tuple[Any, Any]

#: Headers that reveal the server software or its version: those on the list of the OWASP Secure
#: Headers Project that have no other purpose.
_REVEALING: Final = frozenset(
    {
        "liferay-portal",
        "server",
        "x-aspnet-version",
        "x-aspnetmvc-version",
        "x-cf-powered-by",
        "x-cms",
        "x-content-encoded-by",
        "x-framework",
        "x-generated-by",
        "x-generator",
        "x-php-version",
        "x-powered-by",
        "x-powered-by-plesk",
        "x-powered-cms",
        "x-redirect-by",
        "x-server-powered-by",
        "x-turbo-charged-by",
        "x-version",
    }
)
_NAME: Final = re.compile(TOKEN)
#: Headers that show that the app itself controls caching.
_CACHING: Final = frozenset({"cache-control", "expires", "pragma"})
#: As text and as bytes, like all pairs below.
NO_STORE: Final[tuple[HeaderPair, HeaderPair]] = (
    text_field("Cache-Control", "no-store"),
    bytes_field("Cache-Control", "no-store"),
)
_HSTS: Final = "strict-transport-security"
#: Headers with a single value. If they are repeated, browsers use the first of some, and ignore
#: others altogether (RFC 6797, 8.1; HTML, 7.1.3 and 7.1.4; Fetch, 3.7).
_SINGLE: Final = frozenset(
    [
        _HSTS,
        "x-content-type-options",
        "x-frame-options",
        "cross-origin-opener-policy",
        "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
    ]
)
#: Maximum number of plans that are cached.
MAX_CACHED: Final = 256


class HeaderPlan(NamedTuple):
    """The changes to the headers of responses with certain header names.

    Attributes:
        unsafe: indexes of headers whose names must not be sent.
        repeated: indexes of headers that must not be repeated but are, grouped by name.
        is_sound: whether both are empty.
        dropped: indexes of headers to remove.
        added: pairs to append.
        added_secure: pairs to append over https.
        nonced: policies to append with the nonce of the request.
        no_store: whether requests with credentials get ``Cache-Control: no-store``.
        caching: the app's own names of that header, which it replaces.
        varies: whether any of the last four depends on the request.
        content_type: index of ``Content-Type``; -1 if it is missing or repeated, in which case
            browsers may use either value.
        codings: indexes of ``Content-Encoding``.
        cookies: indexes of ``Set-Cookie``.
    """

    unsafe: tuple[int, ...]
    repeated: tuple[tuple[int, ...], ...]
    is_sound: bool
    dropped: frozenset[int]
    added: tuple[HeaderPair, ...]
    added_secure: tuple[HeaderPair, ...]
    nonced: tuple[tuple[str, Csp], ...]
    no_store: bool
    caching: frozenset[Any]
    varies: bool
    content_type: int
    codings: tuple[int, ...]
    cookies: tuple[int, ...]


class CompiledHeaders:
    """Security headers, with a cache of plans.

    Args:
        headers: the security headers.

    Attributes:
        has_nonce: whether a policy has a nonce.
        plans: cached plans by header names: those of WSGI, and those of ASGI, since a policy may
            wrap apps of both kinds.
    """

    def __init__(self, headers: SecurityHeaders) -> None:
        self._no_store = headers.no_store
        self._override = frozenset(headers.override)
        self._nonced: list[tuple[str, str, Csp]] = []
        self._fixed: list[tuple[str, tuple[HeaderPair, HeaderPair]]] = []
        for name, value in headers.values():
            if isinstance(value, Csp) and value.nonce:
                self._nonced.append((name, name.lower(), value))
            else:
                text = value.value() if isinstance(value, Csp) else value
                pairs = text_field(name, text), bytes_field(name, text)
                self._fixed.append((name.lower(), pairs))
        self.has_nonce = bool(self._nonced)
        self.plans: tuple[dict[Any, HeaderPlan], dict[Any, HeaderPlan]] = ({}, {})

    def plan(self, names: tuple[Any, ...], *, in_bytes: bool) -> HeaderPlan:
        """Make and cache the plan for responses with these header names."""
        plan = self._make(names, in_bytes)
        plans = self.plans[in_bytes]
        if len(plans) < MAX_CACHED:
            plans[names] = plan
        return plan

    def _make(self, names: tuple[Any, ...], in_bytes: bool) -> HeaderPlan:
        lower = [as_text(name).lower() for name in names]
        overridden = self._override
        kept = {name for name in lower if name not in overridden}
        added: list[HeaderPair] = []
        secure: list[HeaderPair] = []
        for key, pairs in self._fixed:
            if key not in kept:
                (secure if key == _HSTS else added).append(pairs[in_bytes])
        nonced = tuple((name, policy) for name, key, policy in self._nonced if key not in kept)
        replaces = "cache-control" in overridden
        no_store = self._no_store if replaces or not kept & _CACHING else None
        if no_store == "always" or (no_store and "set-cookie" in kept):
            added.append(NO_STORE[in_bytes])
            no_store = None
        elif replaces:  # keep the app's value unless the response turns out to be private
            overridden -= {"cache-control"}
        types = _indexes(lower, "content-type")
        unsafe = tuple(i for i, name in enumerate(lower) if not _NAME.fullmatch(name))
        repeated = tuple(_indexes(lower, name) for name in sorted(_SINGLE) if lower.count(name) > 1)
        return HeaderPlan(
            unsafe=unsafe,
            repeated=repeated,
            is_sound=not unsafe and not repeated,
            dropped=frozenset(
                i for i, name in enumerate(lower) if name in _REVEALING or name in overridden
            ),
            added=tuple(added),
            added_secure=tuple(secure),
            nonced=nonced,
            no_store=no_store is not None,
            caching=frozenset(
                name for name in names if replaces and as_text(name).lower() == "cache-control"
            ),
            varies=bool(secure or nonced or no_store),
            content_type=types[0] if len(types) == 1 else -1,
            codings=_indexes(lower, "content-encoding"),
            cookies=_indexes(lower, "set-cookie"),
        )


def as_text(native: Any) -> str:
    """Return a header name or value as text."""
    if isinstance(native, memoryview):
        native = native.tobytes()
    text: str = native if isinstance(native, str) else native.decode("latin-1")
    return text


def _indexes(names: list[str], wanted: str) -> tuple[int, ...]:
    return tuple(index for index, name in enumerate(names) if name == wanted)
