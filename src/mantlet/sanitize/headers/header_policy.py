"""Make the headers of a response safe: remove the unsafe ones, add the security headers.

Headers are handled as the native pairs of the protocol. Responses with the same header names need
the same changes, so these are planned once: an app has a few dozen combinations.
"""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.http.headers import TOKEN, HeaderNames, bytes_header, is_token, text_header
from mantlet.http.routing import Routes
from mantlet.sanitize.headers.cookies import Cookies
from mantlet.sanitize.headers.csp import Csp
from mantlet.sanitize.headers.security import (
    CACHING,
    HSTS,
    REVEALING,
    SINGLE_VALUED,
    Preset,
    SecurityHeaders,
    security_headers,
)

__all__ = ["BodyHeaders", "HeaderPolicy", "joined_values"]

# Any: a name and a value, as bytes under ASGI and as str under WSGI.
HeaderPair = tuple[Any, Any]

_NAME: Final = re.compile(TOKEN)
#: As text and as bytes, like all pairs below.
_NO_STORE: Final[tuple[HeaderPair, HeaderPair]] = (
    text_header("Cache-Control", "no-store"),
    bytes_header("Cache-Control", "no-store"),
)
#: Maximum number of plans that are cached.
_MAX_CACHED: Final = 256
# RFC 9110, 5.5.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
#: RFC 9110, 8.3.1, with the whitespace that apps put around it.
_MEDIA_TYPE: Final = re.compile(rf"\s*({TOKEN}/{TOKEN})")
#: Browsers ignore an empty charset (WHATWG MIME Sniffing, 4.4).
_CHARSET: Final = re.compile(r";[ \t]*charset=\"?[^\";, \t]", re.IGNORECASE)
#: Text types whose charset browsers do not guess: event streams are UTF-8 by definition, and XML
#: declares its encoding itself.
_WITHOUT_CHARSET: Final = frozenset({"text/event-stream", "text/xml"})
_UTF_8: Final = "; charset=utf-8"
_CREDENTIALS: Final = HeaderNames("Authorization", "Cookie")
_SECURE_SCHEMES: Final = ("https", "wss")

#: Reports a finding: the request, the id of the rule, and the place.
Report = Callable[[Request, str, str], None]

#: The headers that describe the body: its media type in lower case, without parameters, and its
#: content coding, each None if missing; and the joined values of the app's headers, to be scanned.
BodyHeaders = tuple[str | None, str | None, bytes]


class _ContentType(NamedTuple):
    """A parsed ``Content-Type``.

    Attributes:
        media: the media type in lower case, without parameters; None if it is invalid.
        fixed: the value with a charset added, if it needs one; else None.
    """

    media: str | None
    fixed: str | None


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
        varies: whether ``added_secure``, ``nonced`` or ``no_store`` is set.
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
                pairs = text_header(name, text), bytes_header(name, text)
                self._fixed.append((name.lower(), pairs))
        self.has_nonce = bool(self._nonced)
        self.plans: tuple[dict[Any, HeaderPlan], dict[Any, HeaderPlan]] = ({}, {})

    def plan(self, names: tuple[Any, ...], *, in_bytes: bool) -> HeaderPlan:
        """Make and cache the plan for responses with these header names."""
        plan = self._make(names, in_bytes)
        plans = self.plans[in_bytes]
        if len(plans) < _MAX_CACHED:
            plans[names] = plan
        return plan

    def _make(self, names: tuple[Any, ...], in_bytes: bool) -> HeaderPlan:
        lower = [_as_text(name).lower() for name in names]
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
            added.append(_NO_STORE[in_bytes])
            no_store = None
        elif replaces:  # keep the app's value unless the response turns out to be private
            overridden -= {"cache-control"}
        types = _indexes(lower, "content-type")
        unsafe = tuple(i for i, name in enumerate(lower) if not _NAME.fullmatch(name))
        repeated = tuple(
            _indexes(lower, name) for name in sorted(SINGLE_VALUED) if lower.count(name) > 1
        )
        return HeaderPlan(
            unsafe=unsafe,
            repeated=repeated,
            is_sound=not unsafe and not repeated,
            dropped=frozenset(
                i for i, name in enumerate(lower) if name in REVEALING or name in overridden
            ),
            added=tuple(added),
            added_secure=tuple(secure),
            nonced=nonced,
            no_store=no_store is not None,
            caching=frozenset(
                name for name in names if replaces and _as_text(name).lower() == "cache-control"
            ),
            varies=bool(secure or nonced or no_store),
            content_type=types[0] if len(types) == 1 else -1,
            codings=_indexes(lower, "content-encoding"),
            cookies=_indexes(lower, "set-cookie"),
        )


class HeaderPolicy:
    """Apply the header options of `OutputSanitizer` to each response. Immutable.

    Args:
        headers: the security headers.
        cookies: the attributes to add to cookies; None to leave them unchanged.
        unsafe_headers: ``"drop"`` headers that must not be sent, or ``"refuse"`` the response.
        routes: security headers by route, in place of ``headers``.
        report: called with each finding.

    Raises:
        TypeError: an option has a wrong type.
        ValueError: an option has an unknown value.

    Attributes:
        needs_request: whether `on_request()` has to be called, to create a nonce.
    """

    def __init__(
        self,
        *,
        headers: Preset | SecurityHeaders | None,
        cookies: Cookies | None,
        unsafe_headers: Literal["drop", "refuse"],
        routes: Mapping[str, Preset | SecurityHeaders | None],
        report: Report,
    ) -> None:
        if unsafe_headers not in ("drop", "refuse"):
            raise ValueError(f'unsafe_headers must be "drop" or "refuse", not {unsafe_headers!r}')
        if not (cookies is None or isinstance(cookies, Cookies)):
            raise TypeError(f"cookies must be Cookies(...) or None, not {cookies!r}")
        if not isinstance(routes, Mapping):
            raise TypeError(f"routes must map route patterns to security headers, not {routes!r}")
        if not all(isinstance(route, str) for route in routes):
            raise TypeError(f"routes must have route patterns as keys, not {[*routes]!r}")
        self._headers = CompiledHeaders(security_headers("headers", headers))
        by_route = [
            (route, CompiledHeaders(security_headers(f"routes[{route!r}]", value)))
            for route, value in routes.items()
        ]
        self._routes = Routes(by_route) if by_route else None
        self._cookies = cookies
        self._refuses = unsafe_headers == "refuse"
        self._report = report
        self._types: dict[Any, _ContentType] = {}
        self.needs_request = any(
            compiled.has_nonce for compiled in (self._headers, *(value for _, value in by_route))
        )

    def on_request(self, request: Request) -> None:
        """Create the nonce of the request."""
        request.state._csp_nonce = _nonce()

    def apply(self, request: Request, response: Response) -> BodyHeaders:
        """Make the headers of a response safe; return what they say about the body.

        Raises:
            Problem: a header must not be sent, and the response is refused for it.
        """
        raw = response.raw
        compiled = self._headers if self._routes is None else self._headers_for(request)
        try:
            plan, text, values = _read(raw, compiled, in_bytes=request.is_async)
        except (TypeError, ValueError, AttributeError):
            raw = self._well_formed(request, raw)
            plan, text, values = _read(raw, compiled, in_bytes=request.is_async)
        if not (plan.is_sound and text.isprintable()):
            removed = self._removed(request, raw, plan)
            if removed:  # plan again: a removed header does not count as set by the app
                raw = _without(raw, removed)
                plan, _, values = _read(raw, compiled, in_bytes=request.is_async)
        media = fixed_type = coding = None
        if plan.content_type >= 0:
            value = raw[plan.content_type][1]
            try:
                media, fixed_type = self._types.get(value) or self._parse_type(value)
            except TypeError:  # a bytearray, which servers accept, is not hashable
                media, fixed_type = _parse_content_type(_as_text(value))
        if fixed_type is not None or plan.cookies:
            raw = self._fix(request, raw, plan, fixed_type)
        if plan.codings:
            coding = ", ".join(_as_text(raw[index][1]).strip().lower() for index in plan.codings)
        kept: list[HeaderPair] = [*raw] if not plan.dropped else _without(raw, plan.dropped)
        if response.status != 101:
            kept += plan.added
            if plan.varies:
                kept = self._varied(request, plan, kept, response.status)
        response.raw = kept
        return media, coding, values

    def _headers_for(self, request: Request) -> CompiledHeaders:
        if not self._routes:
            return self._headers
        readings = self._routes.match_all(request.method, request.route_paths)
        # Where the path can be read in two ways, those of one might be too weak for the other.
        found = readings[0] if len(readings) == 1 else ()
        return found[0][0] if found else self._headers

    def _varied(
        self, request: Request, plan: HeaderPlan, kept: list[HeaderPair], status: int
    ) -> list[HeaderPair]:
        """Return the headers with those that depend on the request."""
        if plan.added_secure and request.scheme in _SECURE_SCHEMES:
            kept += plan.added_secure
        # A cache takes over the headers of a 304 (RFC 9111, 3.2): the nonce would no longer match
        # the scripts of the page that it has stored.
        if plan.nonced and status != 304:
            nonce = request.state._csp_nonce or _nonce()
            native = bytes_header if request.is_async else text_header
            for name, policy in plan.nonced:
                kept.append(native(name, policy.value(nonce)))
        if plan.no_store and request.get_headers(_CREDENTIALS):
            if plan.caching:
                kept = [pair for pair in kept if pair[0] not in plan.caching]
            kept.append(_NO_STORE[request.is_async])
        return kept

    def _parse_type(self, value: Any) -> _ContentType:
        parsed = _parse_content_type(_as_text(value))
        if len(self._types) < _MAX_CACHED:
            self._types[value] = parsed
        return parsed

    def _fix(
        self, request: Request, raw: Any, plan: HeaderPlan, content_type: str | None
    ) -> list[HeaderPair]:
        """Return the headers with a charset, and with the attributes that cookies lack."""
        fixed = list(raw)
        if content_type is not None:
            fixed[plan.content_type] = _with(raw[plan.content_type], content_type)
        if self._cookies is None:
            return fixed
        https = request.scheme in _SECURE_SCHEMES
        for index in plan.cookies:
            value = _as_text(raw[index][1])
            better, fault = self._cookies.fix(value, https=https)
            if fault is not None:
                self._report(request, fault, "header set-cookie")
            if better is not value:
                fixed[index] = _with(raw[index], better)
        return fixed

    def trailers(self, request: Request, raw: Any) -> Any:
        """Return the trailers without those that must not be sent."""
        try:
            raw = raw if isinstance(raw, list | tuple) else list(raw)
            safe = [
                pair
                for pair in raw
                if is_token(_as_text(pair[0])) and not _FORBIDDEN.search(_as_text(pair[1]))
            ]
        except (TypeError, LookupError, AttributeError):
            raw, safe = (None,), []
        if len(safe) != len(raw):
            self._report(request, "header-injection", "trailer")
            return safe
        return raw

    def _removed(self, request: Request, raw: Any, plan: HeaderPlan) -> set[int]:
        """Return the indexes of headers that must not be sent, or not repeatedly.

        Raises:
            Problem: a header must not be sent, and the response is refused for it.
        """
        removed = set(plan.unsafe)
        removed |= {i for i, (_, value) in enumerate(raw) if _FORBIDDEN.search(_as_text(value))}
        for index in sorted(removed):
            name = "" if index in plan.unsafe else f" {_as_text(raw[index][0]).lower()}"
            self._report(request, "header-injection", f"header{name or f' {index}'}")
        if removed and self._refuses:
            raise Problem(500)
        for indexes in plan.repeated:
            usable = [index for index in indexes if index not in removed]
            # If one X-Frame-Options allows framing and another denies it, browsers deny it.
            denying = (i for i in usable if _as_text(raw[i][1]).strip().upper() == "DENY")
            removed |= {*usable} - {next(denying, usable[0] if usable else -1)}
        return removed

    def _well_formed(self, request: Request, raw: Any) -> list[HeaderPair]:
        """Return the valid pairs, in the types that the protocol requires."""
        wanted = bytes if request.is_async else str
        kept = []
        for index, pair in enumerate(raw):
            if isinstance(pair, (tuple, list)) and len(pair) == 2:
                name, value = pair
                if isinstance(value, (bytearray, memoryview)) and wanted is bytes:
                    value = bytes(value)
                if isinstance(name, wanted) and isinstance(value, wanted):
                    kept.append((name, value))
                    continue
            self._report(request, "malformed-header", f"header {index}")
            if self._refuses:
                raise Problem(500)
        return kept


def _parse_content_type(value: str) -> _ContentType:
    found = _MEDIA_TYPE.match(value)
    if found is None:
        return _ContentType(None, None)
    media = found[1].lower()
    needs_charset = media.startswith("text/") and media not in _WITHOUT_CHARSET
    if needs_charset and not _CHARSET.search(value):
        return _ContentType(media, value.rstrip("; \t") + _UTF_8)
    return _ContentType(media, None)


def _nonce() -> str:
    """Return 128 random bits (CSP Level 3, 7.1)."""
    return b64encode(os.urandom(16)).decode()


def joined_values(raw: Any) -> bytes:
    """Return the values of headers, joined, to be scanned."""
    return _joined([value for _, value in raw])[1]


def _read(raw: Any, compiled: CompiledHeaders, *, in_bytes: bool) -> tuple[HeaderPlan, str, bytes]:
    """Return the plan for headers, and their joined values as text and as bytes.

    Raises:
        TypeError: the values are neither all bytes nor all text.
        ValueError: a header is not a pair.
        AttributeError: a name is neither bytes nor text.
    """
    names: tuple[Any, ...]
    values: tuple[Any, ...]
    names, values = zip(*raw, strict=True) if raw else ((), ())
    plan = compiled.plans[in_bytes].get(names)
    if plan is None:
        plan = compiled.plan(names, in_bytes=in_bytes)
    return plan, *_joined(values)


def _joined(values: Sequence[Any]) -> tuple[str, bytes]:
    """Return values, joined, as text and as bytes."""
    if values and isinstance(values[0], str):
        text = ",".join(values)
        return text, text.encode("latin-1", "replace")
    data = b",".join(values)
    return data.decode("latin-1"), data


def _with(pair: HeaderPair, value: str) -> HeaderPair:
    """Return a pair with another value, in the type of its name."""
    name = pair[0]
    return name, value if isinstance(name, str) else value.encode("latin-1")


def _without(raw: Any, dropped: frozenset[int] | set[int]) -> list[HeaderPair]:
    return [pair for index, pair in enumerate(raw) if index not in dropped]


def _as_text(native: Any) -> str:
    """Return a header name or value as text."""
    if isinstance(native, memoryview):
        native = native.tobytes()
    text: str = native if isinstance(native, str) else native.decode("latin-1")
    return text


def _indexes(names: list[str], wanted: str) -> tuple[int, ...]:
    return tuple(index for index, name in enumerate(names) if name == wanted)
