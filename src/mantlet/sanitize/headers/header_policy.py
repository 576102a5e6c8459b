"""Make the headers of a response safe: remove the unsafe ones, add the security headers.

Headers are handled as the native pairs of the protocol. Responses with the same header names need
the same changes, so these are planned once (`plan`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from mantlet.core.client_scheme import ClientScheme
from mantlet.core.context import enter_request, leave_request
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.http.headers import HeaderNames, bytes_header, text_header
from mantlet.http.routing import Routes
from mantlet.sanitize.body_kind import HTML, BodyKind, Classify
from mantlet.sanitize.headers.content_type import ContentTypes
from mantlet.sanitize.headers.cookies import Cookies
from mantlet.sanitize.headers.documentation import DocumentationPages
from mantlet.sanitize.headers.native import HeaderPair, as_text, with_value, without
from mantlet.sanitize.headers.nonce import new_nonce
from mantlet.sanitize.headers.notices import OverrideNotices
from mantlet.sanitize.headers.plan import NO_STORE, CompiledHeaders, HeaderPlan
from mantlet.sanitize.headers.security import (
    PRESETS,
    Preset,
    SecurityHeaders,
    security_headers,
)
from mantlet.sanitize.headers.unsafe import Report, UnsafeHeaders
from mantlet.sanitize.ranges import is_text_type

__all__ = ["REQUEST_HEADERS", "BodyHeaders", "HeaderPolicy"]

#: The headers of requests that the whole policy reads. One look-up of all costs as much as of one,
#: and less where it is shared.
REQUEST_HEADERS: Final = HeaderNames("Authorization", "Cookie", "If-Match", "Range")
#: Headers that tell caches what they may store (RFC 9111, 5.2; RFC 9213, 2; Edge Architecture).
_CACHE_CONTROL: Final = "cache-control"
_CACHE_CONTROLS: Final = frozenset(
    {_CACHE_CONTROL, "cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"}
)
_PRIVATE: Final = "private, no-store"
#: The most cookies that a response may set. Browsers keep some 180 for a site.
_MAX_COOKIES: Final = 1000

#: What the headers say about the body: its kind, and its content coding, None if missing; and the
#: app's headers joined, to be scanned, with a line feed at the end.
BodyHeaders = tuple[BodyKind, str | None, bytes]


class HeaderPolicy:
    """Apply the header options of `OutputSanitizer` to each response. Immutable.

    Args:
        headers: the security headers.
        cookies: the attributes to add to cookies; None to leave them unchanged.
        unsafe_headers: ``"drop"`` headers that must not be sent, or ``"refuse"`` the response.
        routes: security headers by route, in place of ``headers``.
        trusted_proxies: the networks of proxies that forward the client's scheme.
        classify: returns the kind of a body by its media type.
        denies_ranges: whether texts that are searched say that no part of them can be requested.
        report: called with each finding.

    Raises:
        TypeError: an option has a wrong type.
        ValueError: an option has an unknown value.

    Attributes:
        needs_request: whether `on_request()` has to be called, to create a nonce.
        trusted_headers: names of the headers that are trusted, if they come from a proxy.
        trailers: returns the trailers of the response to a request without those that must not be
            sent.
    """

    def __init__(
        self,
        *,
        headers: Preset | SecurityHeaders | None,
        cookies: Cookies | None,
        unsafe_headers: Literal["drop", "refuse"],
        routes: Mapping[str, Preset | SecurityHeaders | None],
        trusted_proxies: Iterable[str] = (),
        classify: Classify,
        denies_ranges: bool,
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
        self._headers = _compile("headers", headers)
        by_route = [
            (route, _compile(f"routes[{route!r}]", value)) for route, value in routes.items()
        ]
        self._routes = Routes(by_route) if by_route else None
        self._cookies = cookies
        scheme = ClientScheme(trusted_proxies)
        self.trusted_headers = scheme.trusted_headers
        self._is_secure = scheme.is_secure
        self._report = report
        self._denies_ranges = denies_ranges
        self._unsafe = UnsafeHeaders(refuses=unsafe_headers == "refuse", report=report)
        self.trailers = self._unsafe.safe_trailers
        self._notices = OverrideNotices()
        self._types = ContentTypes(classify)
        self._known_types = self._types.cached
        self._pages = DocumentationPages()
        self.needs_request = any(
            compiled.has_nonce for compiled in (self._headers, *(value for _, value in by_route))
        )

    def on_request(self, request: Request) -> None:
        """Create the nonce of the request, and make it known to this context."""
        state = request.state
        state._csp_nonce = new_nonce()
        active = enter_request(state._request_id or "", request)
        request.add_cleanup(lambda: leave_request(active))

    def apply(  # noqa: C901, PLR0912  # a call for each step costs every response more
        self, request: Request, response: Response
    ) -> BodyHeaders:
        """Make the headers of a response safe; return what they say about the body.

        Raises:
            Problem: a header must not be sent, and the response is refused for it.
        """
        compiled = self._headers if self._routes is None else self._headers_for(request)
        headers, in_bytes = response._headers, request.is_async
        raw = response._raw if headers is None else headers.raw  # what the property does
        listed: list[Any] = []
        values: list[Any] = []
        try:
            for name, value in raw:  # zip() takes longer for the few headers of most responses
                listed.append(name)
                values.append(value)
            names = tuple(listed)
            plan = compiled.plans[in_bytes].get(names) or compiled.plan(names, in_bytes)
            if in_bytes:
                joined = b",".join(values)
                text = joined.decode("latin-1")
            else:
                text = ",".join(values)
                joined = text.encode("latin-1", "replace")
        except (TypeError, ValueError, AttributeError):
            response.raw = self._unsafe.well_formed(request, raw)
            return self.apply(request, response)
        # Other text is no fault yet: the values may have characters that must not be sent.
        if not (text.isascii() and text.isprintable() and plan.is_sound):
            removed = self._unsafe.unsafe(request, raw, plan)
            if removed:  # plan again: a removed header does not count as set by the app
                response.raw = without(raw, removed)
                return self.apply(request, response)
        try:
            kind, fault = self._known_types[values[plan.content_type]]
        except (IndexError, KeyError, TypeError):  # missing, repeated, new, or a bytearray
            kind, fault = self._types.read(_values(raw, plan.content_types))
        if fault is not None and _has_body(response, raw):
            self._report(request, fault, "header content-type")
        coding = None
        if kind.html or not plan.only_adds:
            if plan.codings:
                codings = _values(raw, plan.codings)
                coding = ", ".join(as_text(value).strip().lower() for value in codings)
            documentation = compiled.documentation
            if documentation and self._pages.include(request, response, kind.media, coding):
                compiled = documentation
                plan = compiled.plans[in_bytes].get(names) or compiled.plan(names, in_bytes)
            raw = self._changed(request, raw, plan, kind)
        if response.status != 101:
            is_secure = plan.added_secure and self._is_secure(request)
            raw = [*raw, *(plan.added_secure if is_secure else plan.added)]
            if plan.nonced:
                is_page = kind.media is None or kind.media in HTML
                private = is_page and not compiled.caches_nonces
                raw = self._with_nonce(request, plan, raw, response.status, private=private)
            elif plan.no_store and _has_credentials(request):
                raw = _with_no_store(raw, plan, in_bytes)
        response._set_headers(raw, plan.keys)
        return kind, coding, joined + plan.names

    def _changed(self, request: Request, raw: Any, plan: HeaderPlan, kind: BodyKind) -> Any:
        """Return the headers with some changed, and without those that are removed."""
        dropped = plan.dropped
        if plan.ranges and self._denies_ranges and kind.scanned:
            raw = _without_ranges(raw, plan.ranges, kind.media)
        if plan.cookies and self._cookies is not None:
            if len(plan.cookies) > _MAX_COOKIES:
                self._report(request, "too-many-cookies", "header set-cookie")
                dropped = dropped.union(plan.cookies[_MAX_COOKIES:])
            raw = self._with_cookies(request, raw, plan.cookies[:_MAX_COOKIES], self._cookies)
        for name in plan.overridden:
            self._notices.header(name)
        return without(raw, dropped) if dropped else raw

    def _headers_for(self, request: Request) -> CompiledHeaders:
        if not self._routes:
            return self._headers
        readings = self._routes.match_all(request.method, request.route_paths)
        # Where the path can be read in two ways, those of one might be too weak for the other.
        found = readings[0] if len(readings) == 1 else ()
        return found[0][0] if found else self._headers

    def _with_nonce(
        self,
        request: Request,
        plan: HeaderPlan,
        kept: list[HeaderPair],
        status: int,
        *,
        private: bool,
    ) -> list[HeaderPair]:
        """Return the headers with those that have the nonce of the request."""
        # A cache takes over the headers of a 304 (RFC 9111, 3.2): the nonce would no longer match
        # the scripts of the page that it has stored.
        if status != 304:
            nonce = request.state._csp_nonce or new_nonce()
            native = bytes_header if request.is_async else text_header
            for name, policy in plan.nonced:
                kept.append(native(name, policy.value(nonce)))
            if private:
                return self._private(request, kept)
        if plan.no_store and _has_credentials(request):
            return _with_no_store(kept, plan, request.is_async)
        return kept

    def _private(self, request: Request, kept: list[HeaderPair]) -> list[HeaderPair]:
        """Return the headers of a page with a nonce, which no cache may store."""
        ours = NO_STORE[request.is_async]
        own = [
            (pair, name)
            for pair in kept
            if pair is not ours and (name := as_text(pair[0]).lower()) in _CACHE_CONTROLS
        ]
        if own:
            values = [as_text(pair[1]).lower() for pair, name in own if name == _CACHE_CONTROL]
            if len(values) == len(own) and "no-store" in ",".join(values):
                return [pair for pair in kept if pair is not ours]
            self._notices.nonce()
        replaced = {id(pair) for pair, _ in own} | {id(ours)}
        native = bytes_header if request.is_async else text_header
        return [
            *(pair for pair in kept if id(pair) not in replaced),
            native("Cache-Control", _PRIVATE),
        ]

    def _with_cookies(
        self, request: Request, raw: Any, indexes: tuple[int, ...], cookies: Cookies
    ) -> list[HeaderPair]:
        """Return the headers with the attributes that cookies lack."""
        fixed = list(raw)
        https = self._is_secure(request)
        for index in indexes:
            pair = raw[index]
            value = as_text(pair[1])
            better, fault = cookies.fix(value, https=https, on_added=self._notices.cookie)
            if fault is not None:
                self._report(request, fault, "header set-cookie")
            if better is not value:
                fixed[index] = with_value(pair, better)
        return fixed


def _has_credentials(request: Request) -> bool:
    """Return whether a request has credentials, so that its response may be private."""
    found = request.declared_headers(REQUEST_HEADERS)
    return "Authorization" in found or "Cookie" in found


def _without_ranges(raw: Any, indexes: tuple[int, ...], media: str | None) -> Any:
    """Return the headers with the ``Accept-Ranges`` of a text that is searched corrected."""
    accepted = ", ".join(map(as_text, _values(raw, indexes)))
    if accepted.strip().lower() != "bytes" or not is_text_type(media):
        return raw
    changed = list(raw)
    changed[indexes[0]] = with_value(raw[indexes[0]], "none")
    return changed


def _values(raw: Any, indexes: tuple[int, ...]) -> list[Any]:
    """Return the native values at some indexes."""
    return [raw[index][1] for index in indexes]


def _with_no_store(kept: list[HeaderPair], plan: HeaderPlan, in_bytes: bool) -> list[HeaderPair]:
    """Return the headers with ``Cache-Control: no-store``."""
    if plan.caching:
        kept = [pair for pair in kept if pair[0] not in plan.caching]
    return [*kept, NO_STORE[in_bytes]]


def _compile(option: str, value: Preset | SecurityHeaders | None) -> CompiledHeaders:
    """Return the compiled headers of an option."""
    headers = security_headers(option, value)
    documentation = CompiledHeaders(PRESETS["docs"]) if value == "api" else None
    return CompiledHeaders(headers, documentation)


def _has_body(response: Response, raw: Any) -> bool:
    """Return whether a response has a body, or may have one that has not come yet."""
    if response.no_body or response.status in (204, 304) or response.status < 200:
        return False
    if response.first_chunk:
        return True
    return not response.complete and not any(
        as_text(name).lower() == "content-length" and as_text(value).strip() == "0"
        for name, value in raw
    )
