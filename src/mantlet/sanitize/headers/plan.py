"""The changes to the headers of responses, planned once for each combination of header names.

An app has a few dozen combinations.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from mantlet.http.cors import is_cors_header
from mantlet.http.headers import TOKEN, bytes_header, text_header
from mantlet.sanitize.headers.csp import Csp
from mantlet.sanitize.headers.native import HeaderPair, as_text, indexes_of
from mantlet.sanitize.headers.security import (
    CACHING,
    HSTS,
    REVEALING,
    SINGLE_VALUED,
    SecurityHeaders,
)

__all__ = ["NO_STORE", "CompiledHeaders", "HeaderPlan"]

_NAME: Final = re.compile(TOKEN)
#: As text and as bytes, like all pairs here.
NO_STORE: Final[tuple[HeaderPair, HeaderPair]] = (
    text_header("Cache-Control", "no-store"),
    bytes_header("Cache-Control", "no-store"),
)
#: Maximum number of plans that are cached.
_MAX_CACHED: Final = 256
#: Maximum number of headers in a response whose plan is cached.
_MAX_NAMES: Final = 128


# Not a NamedTuple, whose attributes take longer to read.
@dataclass(frozen=True, slots=True)
class HeaderPlan:
    """The changes to the headers of responses with certain header names.

    Attributes:
        unsafe: indexes of headers whose names must not be sent.
        repeated: indexes of headers that must not be repeated but are, grouped by name.
        is_sound: whether both are empty.
        dropped: indexes of headers to remove.
        overridden: names of headers of the app that give way to the options, in lower case.
        added: pairs to append.
        added_secure: pairs to append over https: these, and more; empty where there are no more.
        nonced: policies to append with the nonce of the request.
        no_store: whether requests with credentials get ``Cache-Control: no-store``.
        caching: the app's own names of that header, which it replaces.
        only_adds: whether none of the app's headers is dropped, a coding, a cookie or
            ``Accept-Ranges``, so that headers are at most added.
        content_type: index of ``Content-Type``, or one too high if it is missing or repeated.
        content_types: indexes of ``Content-Type``.
        codings: indexes of ``Content-Encoding``.
        cookies: indexes of ``Set-Cookie``.
        ranges: indexes of ``Accept-Ranges``.
        names: the names, each on a line of its own, to be scanned between the values and the body.
        keys: the native names in lower case of all headers that the result may have; None if
            others depend on them (CORS).
    """

    unsafe: tuple[int, ...]
    repeated: tuple[tuple[int, ...], ...]
    is_sound: bool
    dropped: frozenset[int]
    overridden: tuple[str, ...]
    added: tuple[HeaderPair, ...]
    added_secure: tuple[HeaderPair, ...]
    nonced: tuple[tuple[str, Csp], ...]
    no_store: bool
    caching: frozenset[Any]
    only_adds: bool
    content_type: int
    content_types: tuple[int, ...]
    codings: tuple[int, ...]
    cookies: tuple[int, ...]
    ranges: tuple[int, ...]
    names: bytes
    keys: frozenset[Any] | None


class CompiledHeaders:
    """Security headers, with a cache of plans.

    Args:
        headers: the security headers.
        documentation: those of pages that show an API's documentation, where they differ.

    Attributes:
        has_nonce: whether a policy has a nonce.
        caches_nonces: whether caches may store pages with a nonce.
        documentation: see above; None if they do not differ.
        plans: cached plans by header names: those of WSGI, and those of ASGI, since a policy may
            wrap apps of both kinds.
    """

    def __init__(
        self, headers: SecurityHeaders, documentation: "CompiledHeaders | None" = None
    ) -> None:
        self._no_store = headers.no_store
        self._override = frozenset(headers.override)
        self._nonced: list[tuple[str, str, Csp]] = []
        self._fixed: list[tuple[str, tuple[HeaderPair, HeaderPair]]] = []
        for name, value in headers.values():
            if isinstance(value, Csp) and value.nonce:
                self._nonced.append((name, name.lower(), value))
            else:
                text = value.value() if isinstance(value, Csp) else value
                pairs = text_header(name, text), bytes_header(name, text)
                self._fixed.append((name.lower(), pairs))
        self.has_nonce = bool(self._nonced)
        self.caches_nonces = headers.cache_nonces
        self.documentation = documentation
        self.plans: tuple[dict[Any, HeaderPlan], dict[Any, HeaderPlan]] = ({}, {})

    # Any: native names, of bytes under ASGI and of str under WSGI.
    def plan(self, names: tuple[Any, ...], in_bytes: bool) -> HeaderPlan:
        """Return the plan for responses with these header names, and cache it.

        Raises:
            AttributeError: a name is neither bytes nor text.
        """
        plan = self._make(names, in_bytes)
        plans = self.plans[in_bytes]
        if len(plans) < _MAX_CACHED and len(names) <= _MAX_NAMES:
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
                (secure if key == HSTS else added).append(pairs[in_bytes])
        nonced = tuple((name, policy) for name, key, policy in self._nonced if key not in kept)
        replaces = "cache-control" in overridden
        no_store = self._no_store if replaces or not kept & CACHING else None
        if no_store == "always" or (no_store and "set-cookie" in kept):
            added.append(NO_STORE[in_bytes])
            no_store = None
        elif replaces:  # keep the app's value unless the response turns out to be private
            overridden -= {"cache-control"}
        types = indexes_of(lower, "content-type")
        codings = indexes_of(lower, "content-encoding")
        cookies = indexes_of(lower, "set-cookie")
        ranges = indexes_of(lower, "accept-ranges")
        dropped = frozenset(
            i for i, name in enumerate(lower) if name in REVEALING or name in overridden
        )
        unsafe = tuple(i for i, name in enumerate(lower) if not _NAME.fullmatch(name))
        counts: dict[str, int] = {}
        for name in lower:
            counts[name] = counts.get(name, 0) + 1
        repeated = tuple(
            indexes_of(lower, name) for name in sorted(SINGLE_VALUED) if counts.get(name, 0) > 1
        )
        keys: set[Any] = {*lower, *(key for key, _ in self._fixed), "cache-control"}
        keys |= {key for _, key, _ in self._nonced}
        is_cors = any(map(is_cors_header, keys))
        if in_bytes:
            keys = {key.encode("latin-1", "replace") for key in keys}
        return HeaderPlan(
            unsafe=unsafe,
            repeated=repeated,
            is_sound=not unsafe and not repeated,
            dropped=dropped,
            overridden=tuple(sorted(overridden.intersection(lower))),
            added=tuple(added),
            added_secure=(*added, *secure) if secure else (),
            nonced=nonced,
            no_store=no_store is not None,
            caching=frozenset(
                name for name in names if replaces and as_text(name).lower() == "cache-control"
            ),
            only_adds=not (dropped or codings or cookies or ranges),
            content_type=types[0] if len(types) == 1 else len(names),
            content_types=types,
            codings=codings,
            cookies=cookies,
            ranges=ranges,
            names="\n".join(("", *map(as_text, names), "")).encode("latin-1", "replace"),
            keys=None if is_cors else frozenset(keys),
        )
